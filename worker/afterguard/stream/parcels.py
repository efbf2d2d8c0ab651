"""Parcels: all records about one event, whatever promise they are written under."""

from collections.abc import Callable
from typing import NamedTuple

import structlog

from afterguard.contracts.errors import RejectedInput
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.words import Outcome, Reason
from afterguard.flow.admit import utc_now
from afterguard.flow.agreement import trials
from afterguard.flow.decide import Decision
from afterguard.flow.ports import SeenEvents
from afterguard.stream.outputs import Outputs
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)


class Parcel(NamedTuple):
    """What is written about one event.

    Attributes:
        records: Verdicts and dead letters, in any order.
        intervention: What the platform is asked to do; leaves in event order within its
            conversation.
        decision: What the records say; None for a record that is no event.
    """

    records: list[OutputRecord]
    intervention: OutputRecord | None
    decision: Decision | None


class Parcels:
    """Makes parcels, and counts them once they are written.

    Args:
        outputs: Makes records.
        metrics: Where outputs are counted.
        seen: Remembers published events; None to remember none.
        on_dead_letter: Told the reason of each event that goes to the dead letters.
    """

    def __init__(
        self,
        outputs: Outputs,
        metrics: Metrics,
        *,
        seen: SeenEvents | None = None,
        on_dead_letter: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._outputs, self._metrics = outputs, metrics
        self._seen, self._on_dead_letter = seen, on_dead_letter

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
            return Parcel(self._failed(decision, Reason.INTERNAL_FAULT.value), None, decision)

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
        return Parcel(letters, None, None)

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
            age = (utc_now() - decision.admission.event.occurred_at).total_seconds()
            metrics.time_to_intervention[decision.admission.lane].observe(max(0.0, age))
        if self._seen is not None and decision.seen_key is not None:
            self._seen.mark(decision.seen_key, decision.admission.record.coordinates)

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
        if decision.intervention is None:
            return Parcel(records, None, decision)
        record = decision.admission.record
        intervention = self._outputs.intervention(decision.intervention, record)
        return Parcel(records, intervention, decision)

    def _failed(
        self, decision: Decision, reason: str, *, detail: str = "", attempts: int = 0
    ) -> list[OutputRecord]:
        self._count_dead_letter(reason)
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
