"""Spans: what the trail of one event becomes, made in one place and pure.

Attributes hold words of the contracts, ids of policies, numbers and the record's coordinates; never
a text, a rationale, a cited rule, or the id of an event, a conversation or a person.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from afterguard.contracts.interventions import Intervention
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Outcome, Reason
from afterguard.telemetry.judge_spans import fault_of, judged
from afterguard.telemetry.span import Attributes, Happening, Span
from afterguard.telemetry.trail import Trail, new_span_id

_SHED: Final = frozenset({Reason.SHED_OVERLOAD, Reason.SHED_COMPUTE_BUDGET})
_GRAVEST_FIRST: Final = tuple(Outcome).index


class Names(NamedTuple):
    """What spans say about the worker's place in the stream."""

    group: str
    interventions: str


def spans_of(
    trail: Trail,
    audit: Sequence[AuditRecord],
    intervention: Intervention | None,
    names: Names,
    *,
    ended: float,
) -> list[Span]:
    """All spans of one event, the one that the others are below first.

    Args:
        trail: What happened to it.
        audit: What was found; empty for a record that is no event.
        intervention: What the platform is asked to do.
        names: Of the worker's group and topic.
        ended: When the log had all records about it, seconds of the trail's clock.
    """
    root = _process(trail, audit, intervention, names, ended)
    if trail.decided is None or trail.deciding is None:
        return [root]
    asking = list(judged(trail, audit))
    asked = min((span.began for span in asking), default=trail.nanoseconds(trail.deciding))
    below = [
        _below(trail, "queue", root.began, asked, {"afterguard.policies": len(audit)}),
        *asking,
        _below(
            trail,
            "decide",
            trail.nanoseconds(trail.deciding),
            trail.nanoseconds(trail.decided),
            {} if intervention is None else {"afterguard.needs_review": intervention.needs_review},
        ),
    ]
    publish = _below(trail, "publish", below[-1].ended, root.ended, {})
    below.append(publish)
    if intervention is not None:
        below.append(_sent(trail, publish, names))
    return [root, *below]


def _process(
    trail: Trail,
    audit: Sequence[AuditRecord],
    intervention: Intervention | None,
    names: Names,
    ended: float,
) -> Span:
    place = trail.place
    attributes: Attributes = {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": place.topic,
        "messaging.destination.partition.id": str(place.partition),
        "messaging.kafka.offset": place.offset,
        "messaging.consumer.group.name": names.group,
    }
    if trail.lane is not None:
        attributes["afterguard.lane"] = trail.lane.value
    if intervention is not None:
        attributes["afterguard.action"] = intervention.action.value
    acting = [verdict for verdict in audit if not verdict.shadow]
    fault = next(filter(None, map(fault_of, acting)), None)
    if acting:
        gravest = min(acting, key=lambda it: _GRAVEST_FIRST(it.outcome))
        outcome = intervention.outcome if intervention is not None else gravest.outcome
        attributes["afterguard.outcome"] = outcome.value
        if gravest.policy_id is None and gravest.reason is not None:
            attributes["afterguard.reason"] = gravest.reason.value
        if degraded := {word.value for verdict in acting for word in verdict.degraded}:
            attributes["afterguard.degraded"] = tuple(sorted(degraded))
    elif not audit:
        # Either no event, or a decision that could not be written down.
        attributes["afterguard.outcome"] = (
            Outcome.REJECTED if trail.decided is None else Outcome.FAILED
        ).value
        fault = trail.letter
    end = trail.nanoseconds(ended)
    return Span(
        f"process {place.topic}",
        "consumer",
        trail.span_id,
        trail.context.parent_id,
        trail.nanoseconds(trail.began),
        end,
        attributes,
        tuple(_happenings(trail, acting, end)),
        fault,
    )


def _happenings(trail: Trail, acting: Sequence[AuditRecord], end: int) -> Iterator[Happening]:
    for moment in trail.read_again:
        yield Happening("read again", trail.nanoseconds(moment), {})
    decided = end if trail.decided is None else trail.nanoseconds(trail.decided)
    shed = next((it.reason for it in acting if it.reason in _SHED), None)
    if shed is not None:
        yield Happening("shed", decided, {"afterguard.reason": shed.value})
    if trail.letter is not None:
        yield Happening("dead letter", decided, {"afterguard.reason": trail.letter})


def _below(trail: Trail, name: str, began: int, ended: int, attributes: Attributes) -> Span:
    return Span(
        name,
        "internal",
        new_span_id(),
        trail.span_id,
        began,
        max(began, ended),
        attributes,
    )


def _sent(trail: Trail, publish: Span, names: Names) -> Span:
    began = publish.began if trail.sent is None else trail.nanoseconds(trail.sent)
    return Span(
        f"send {names.interventions}",
        "producer",
        trail.intervention_id,
        publish.span_id,
        began,
        publish.ended,
        {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.operation.name": "send",
            "messaging.destination.name": names.interventions,
        },
    )
