"""Parcels: all records about one event, whatever promise they are written under."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import structlog

from afterguard.contracts.cloudevents import sampled_trace_id, trace_context
from afterguard.contracts.errors import RejectedInput
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.ledger import Entry
from afterguard.flow.admit import Admission, utc_now
from afterguard.flow.agreement import trials
from afterguard.flow.decide import Decision
from afterguard.flow.ports import SeenEvents
from afterguard.stream.outputs import Outputs
from afterguard.telemetry.metrics import Metrics
from afterguard.telemetry.tracing import NO_TRACING, Tracing
from afterguard.telemetry.trail import Trail

_log = structlog.get_logger(__name__)


class Parcel(NamedTuple):
    """What is written about one event.

    Attributes:
        records: Verdicts and dead letters, in any order.
        intervention: What the platform is asked to do; leaves in event order within its
            conversation.
        decision: What the records say; None for a record that is no event.
        trail: Of the event or the record; None when it is not followed.
    """

    records: list[OutputRecord]
    intervention: OutputRecord | None
    decision: Decision | None
    trail: Trail | None = None


class Parcels:
    """Makes parcels, and counts them once they are written.

    Args:
        outputs: Makes records.
        metrics: Where outputs are counted.
        seen: Remembers published events; None to remember none.
        on_dead_letter: Told the reason of each event that goes to the dead letters.
        tracing: Makes spans of what was written.
    """

    def __init__(
        self,
        outputs: Outputs,
        metrics: Metrics,
        *,
        seen: SeenEvents | None = None,
        on_dead_letter: Callable[[str], None] = lambda _: None,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        self._outputs, self._metrics = outputs, metrics
        self._seen, self._on_dead_letter = seen, on_dead_letter
        self._tracing = tracing

    def decided(self, decision: Decision) -> Parcel:
        """The records of a decision; a dead letter when it cannot be written down."""
        try:
            return self._of(decision)
        except Exception as error:  # noqa: BLE001 (one odd event must not stop its partition)
            # The text of an unknown error may quote the message, so only its type is told.
            _log.error(
                "a decision could not be written as records; its event goes to the dead letters",
                coordinates=str(decision.admission.record.coordinates),
                error=type(error).__name__,
            )
            decision = decision._replace(audit=[], intervention=None, seen_key=None)
            letters = self._failed(decision, Reason.INTERNAL_FAULT.value)
            return Parcel(letters, None, decision, decision.admission.trail)

    def rejected(self, record: InputRecord, rejected: RejectedInput) -> Parcel:
        """The dead letters of a record that is no event."""
        letters = self._outputs.dead_letter(
            record,
            outcome=Outcome.REJECTED,
            reason=rejected.reason.value,
            detail=rejected.detail,
            attempts=0,
        )
        self._count_dead_letter(rejected.reason.value)
        trail = self._tracing.begin(record)
        if trail is not None:
            trail.letter = rejected.reason.value
        return Parcel(letters, None, None, trail)

    def acknowledged(self, entry: Entry) -> None:
        """The log has all records about an event: settle it."""
        judged_at = entry.since
        entry.settle()
        seconds = entry.since - judged_at
        self._metrics.rooms.publish.left(seconds)
        self._metrics.rooms.publish_seconds.observe(seconds)

    def advanced(self, events: int) -> None:
        """The offset went past so many events together with what was written about them."""
        self._metrics.rooms.settle.left(0.0, events)

    def refused(self, entries: Iterable[Entry]) -> None:
        """The log did not take what was written about these."""
        for entry in entries:
            self._metrics.rooms.publish.failed(entry.waited)

    def written(self, decision: Decision) -> None:
        """Count a decision whose records the log has, and remember its event."""
        metrics = self._metrics
        on_trial = False
        for verdict in decision.audit:
            if verdict.shadow:
                on_trial = True
                metrics.policies.shadow_verdict(verdict.policy_id, verdict.outcome)
            else:
                metrics.verdict(verdict.policy_id, verdict.outcome, verdict.action)
            if verdict.prompt_tokens:
                metrics.prompt_tokens.add(verdict.prompt_tokens)
                metrics.cached_prompt_tokens.add(verdict.cached_prompt_tokens)
                metrics.output_tokens.add(verdict.output_tokens)
        if on_trial:
            for policy_id, agreement in trials(decision.audit):
                metrics.policies.shadow_agreement(policy_id, agreement.value)
        if decision.intervention is not None:
            metrics.interventions[decision.intervention.action].add(1)
            admission = decision.admission
            age = (utc_now() - admission.event.occurred_at).total_seconds()
            spread = metrics.time_to_intervention[admission.lane]
            spread.observe(max(0.0, age), _trace_id(admission))
        if self._seen is not None and decision.seen_key is not None:
            self._seen.mark(decision.seen_key, decision.admission.record.coordinates)

    def told(self, trail: Trail, decision: Decision | None) -> None:
        """Make the spans of what the log has by now.

        Args:
            trail: Of the event or the record.
            decision: None for a record that is no event.
        """
        if decision is None:
            self._tracing.end(trail, (), None)
        else:
            self._tracing.end(trail, decision.audit, decision.intervention)

    def _of(self, decision: Decision) -> Parcel:
        records = self._outputs.audit(decision)
        if decision.failed is not None:
            finding = decision.failed
            records += self._failed(
                decision,
                (finding.reading.reason or Outcome.FAILED).value,
                detail=f"policy {finding.policy.id}" if finding.policy else "",
                attempts=finding.attempts,
            )
        trail = decision.admission.trail
        if decision.intervention is None:
            return Parcel(records, None, decision, trail)
        record = decision.admission.record
        intervention = self._outputs.intervention(decision.intervention, record, trail)
        return Parcel(records, intervention, decision, trail)

    def _failed(
        self, decision: Decision, reason: str, *, detail: str = "", attempts: int = 0
    ) -> list[OutputRecord]:
        self._count_dead_letter(reason)
        if decision.admission.trail is not None:
            decision.admission.trail.letter = reason
        return self._outputs.dead_letter(
            decision.admission.record,
            outcome=Outcome.FAILED,
            reason=reason,
            detail=detail,
            attempts=attempts,
            event_id=decision.admission.event.event_id,
        )

    def _count_dead_letter(self, reason: str) -> None:
        self._metrics.dead_letter(reason)
        self._on_dead_letter(reason)


def _trace_id(admission: Admission) -> str | None:
    if admission.trail is not None:
        return f"{admission.trail.context.trace_id:032x}"
    headers = admission.record.headers
    told = trace_context(headers) if headers else ()
    return sampled_trace_id((told[0][1] or b"").decode("ascii")) if told else None
