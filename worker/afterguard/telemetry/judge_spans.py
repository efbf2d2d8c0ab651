"""Spans of the judge: one for each question to the model, one for each verdict that needed none."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import ANSWERED, Outcome, Reason
from afterguard.telemetry.span import Attributes, Happening, Span
from afterguard.telemetry.trail import Look, Trail, new_span_id

_NO_FAULT: Final = ANSWERED | {Outcome.SKIPPED}
_Asked = tuple[str | None, str | None, bool]


def judged(trail: Trail, audit: Sequence[AuditRecord]) -> Iterator[Span]:
    """The spans below the event's own.

    Args:
        trail: Of the event.
        audit: What was found.
    """
    verdicts: dict[_Asked, AuditRecord] = {
        (it.policy_id, it.policy_version, it.shadow): it for it in audit
    }
    last: dict[_Asked, Look] = {}
    found: defaultdict[int, list[AuditRecord]] = defaultdict(list)
    for look in trail.looks:
        for policy in look.policies:
            last[policy.id, policy.version, policy.shadow] = look
    for which, final in last.items():
        if (verdict := verdicts.get(which)) is not None:
            found[final.span_id].append(verdict)
    for look in trail.looks:
        yield _looked(trail, look, found[look.span_id], verdicts)
    for which, verdict in verdicts.items():
        if verdict.policy_id is not None and which not in last:
            yield _unasked(trail, verdict)


def _looked(
    trail: Trail,
    look: Look,
    found: Sequence[AuditRecord],
    verdicts: Mapping[_Asked, AuditRecord],
) -> Span:
    alone = look.policies[0] if len(look.policies) == 1 else None
    ended = look.ended if look.ended is not None else trail.deciding or look.began
    attributes: Attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": look.cost.prompt,
        "gen_ai.usage.output_tokens": look.cost.written,
        "gen_ai.usage.cache_read.input_tokens": look.cost.cached,
        "afterguard.effort": look.effort.value,
        "afterguard.second_look": look.second,
        "afterguard.cached": False,
        "afterguard.attempts": look.attempts,
    }
    first = look.policies[0]
    told = verdicts.get((first.id, first.version, first.shadow))
    if told is not None and told.model is not None:
        attributes["gen_ai.request.model"] = told.model
        attributes["gen_ai.provider.name"] = told.engine or ""
    events = [
        Happening("retry", trail.nanoseconds(at), {"afterguard.fault": fault})
        for at, fault in look.retries
    ]
    fault = look.fault
    if look.ended is None:
        fault = Reason.SHADOW_CUT.value
    if alone is not None:
        attributes |= _policy(alone.id, alone.version, shadow=alone.shadow)
        for verdict in found:
            attributes |= _verdict(verdict)
    else:
        attributes["afterguard.policy.ids"] = tuple(policy.id for policy in look.policies)
        at = trail.nanoseconds(ended)
        for it in found:
            policy = _policy(it.policy_id or "", it.policy_version or "", shadow=it.shadow)
            events.append(Happening("verdict", at, {**policy, **_verdict(it)}))
    return Span(
        f"judge {alone.id}" if alone is not None else "judge combined",
        "client",
        look.span_id,
        trail.span_id,
        trail.nanoseconds(look.began),
        trail.nanoseconds(ended),
        attributes,
        tuple(events),
        fault,
    )


def _unasked(trail: Trail, verdict: AuditRecord) -> Span:
    """A verdict without a question: repeated, screened, or given up while it waited."""
    timings = verdict.timings
    began = trail.nanoseconds(trail.began) + round(timings.queued_ms * 1e6)
    attributes = _policy(
        verdict.policy_id or "", verdict.policy_version or "", shadow=verdict.shadow
    )
    attributes["afterguard.cached"] = verdict.cached_from is not None
    return Span(
        f"judge {verdict.policy_id}",
        "internal",
        new_span_id(),
        trail.span_id,
        began,
        began + round(timings.judging_ms * 1e6),
        attributes | _verdict(verdict),
        (),
        fault_of(verdict),
    )


def _policy(policy_id: str, version: str, *, shadow: bool) -> Attributes:
    return {
        "afterguard.policy.id": policy_id,
        "afterguard.policy.version": version,
        "afterguard.policy.shadow": shadow,
    }


def _verdict(verdict: AuditRecord) -> Attributes:
    attributes: Attributes = {
        "afterguard.outcome": verdict.outcome.value,
        "afterguard.action": verdict.action.value,
        "afterguard.stages": verdict.stages,
    }
    if verdict.reason is not None:
        attributes["afterguard.reason"] = verdict.reason.value
    if verdict.degraded:
        attributes["afterguard.degraded"] = tuple(word.value for word in verdict.degraded)
    return attributes


def fault_of(verdict: AuditRecord) -> str | None:
    """What went wrong with a verdict, in words of the contracts; None when nothing did."""
    if verdict.outcome in _NO_FAULT:
        return None
    return (verdict.reason or verdict.outcome).value
