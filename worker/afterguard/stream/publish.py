"""Publish: decisions and dead letters are written, then their events are settled.

An event is settled when the log has acknowledged every record about it. A record that is refused
ends the worker with its event unsettled: nothing is ever committed past it.
"""

import asyncio
from collections import deque
from functools import partial

import structlog

from afterguard.contracts.errors import PublishFailed, RejectedInput
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.ledger import Entry, Stage
from afterguard.flow.admit import utc_now
from afterguard.flow.decide import Decision
from afterguard.flow.ports import SeenEvents
from afterguard.stream.outputs import Outputs
from afterguard.stream.ports import Producer
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)


class _Parcel:
    """The records about one event, and how many of them the log still owes us."""

    __slots__ = ("decision", "entry", "owed")

    def __init__(self, entry: Entry, owed: int, decision: Decision | None) -> None:
        self.entry, self.owed, self.decision = entry, owed, decision


class Publish:
    """Writes outputs and settles their events.

    Args:
        producer: The log.
        outputs: Makes records.
        metrics: Where outputs are counted.
        seen: Remembers published events; None to remember none.
    """

    def __init__(
        self,
        producer: Producer,
        outputs: Outputs,
        metrics: Metrics,
        *,
        seen: SeenEvents | None = None,
    ) -> None:
        self._producer, self._outputs, self._metrics = producer, outputs, metrics
        self._seen = seen
        self._queue: deque[tuple[OutputRecord, _Parcel]] = deque()
        self._wake = asyncio.Event()
        self._failure: BaseException | None = None
        self._closing = False

    async def run(self) -> None:
        """Write until `close`, then until nothing is left to write.

        Raises:
            PublishFailed: The log refused a record.
        """
        queue, send = self._queue, self._producer.send
        while True:
            await self._wake.wait()
            self._wake.clear()
            while queue and self._failure is None:
                record, parcel = queue.popleft()
                if parcel.entry.live:
                    acknowledged = await send(record)
                    acknowledged.add_done_callback(partial(self._acknowledged, parcel))
            if self._failure is not None:
                raise PublishFailed(
                    f"the broker refused an output ({type(self._failure).__name__}); "
                    "its event stays unsettled and will be judged again"
                ) from self._failure
            if self._closing:
                return

    def close(self) -> None:
        """Write what is queued, then end."""
        self._closing = True
        self._wake.set()

    def publish(self, decision: Decision) -> None:
        """Take a decision; see `flow.ports.Publisher`."""
        try:
            records, intervention = self._records(decision)
        except Exception as error:  # noqa: BLE001 (one odd event must not stop its partition)
            # The text of an unknown error may quote the message, so only its type is told.
            _log.error(
                "a decision could not be written as records; its event goes to the dead letters",
                coordinates=str(decision.admission.record.coordinates),
                error=type(error).__name__,
            )
            decision = decision._replace(audit=[], intervention=None, seen_key=None)
            records, intervention = self._failed(decision, Reason.INTERNAL_FAULT.value), None
        owed = len(records) + (intervention is not None)
        parcel = _Parcel(decision.admission.entry, owed, decision)
        for record in records:
            self._queue.append((record, parcel))
        held = None if intervention is None else (intervention, parcel)
        self._queue.extend(decision.admission.ticket.done(held))
        self._wake.set()

    def reject(self, record: InputRecord, entry: Entry, rejected: RejectedInput) -> None:
        """Write a record that is no event to the dead letters."""
        letters = self._outputs.dead_letter(
            record,
            outcome=Outcome.REJECTED,
            reason=rejected.reason.value,
            detail=rejected.detail,
            attempts=0,
        )
        self._metrics.dead_letter(rejected.reason.value)
        entry.advance(Stage.JUDGED)
        parcel = _Parcel(entry, len(letters), None)
        self._queue.extend((letter, parcel) for letter in letters)
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Records not yet handed to the log."""
        return len(self._queue)

    def _records(self, decision: Decision) -> tuple[list[OutputRecord], OutputRecord | None]:
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
            return records, None
        record = decision.admission.record
        return records, self._outputs.intervention(decision.intervention, record)

    def _failed(
        self, decision: Decision, reason: str, *, detail: str = "", attempts: int = 0
    ) -> list[OutputRecord]:
        self._metrics.dead_letter(reason)
        return self._outputs.dead_letter(
            decision.admission.record,
            outcome=Outcome.FAILED,
            reason=reason,
            detail=detail,
            attempts=attempts,
            event_id=decision.admission.event.event_id,
        )

    def _acknowledged(self, parcel: _Parcel, future: "asyncio.Future[object]") -> None:
        if future.cancelled() or future.exception() is not None:
            self._failure = future.exception() if not future.cancelled() else None
            self._failure = self._failure or asyncio.CancelledError()
            self._wake.set()
            return
        parcel.owed -= 1
        if parcel.owed or not parcel.entry.live:
            return
        parcel.entry.settle()
        if parcel.decision is not None:
            self._written(parcel.decision)

    def _written(self, decision: Decision) -> None:
        metrics = self._metrics
        for verdict in decision.audit:
            metrics.verdict(verdict.policy_id, verdict.outcome)
            if verdict.prompt_tokens:
                metrics.prompt_tokens.inc(verdict.prompt_tokens)
                metrics.cached_prompt_tokens.inc(verdict.cached_prompt_tokens)
                metrics.output_tokens.inc(verdict.output_tokens)
        if decision.intervention is not None:
            metrics.interventions[decision.intervention.action].inc()
            age = (utc_now() - decision.admission.event.occurred_at).total_seconds()
            metrics.time_to_intervention.observe(max(0.0, age))
        if self._seen is not None and decision.seen_key is not None:
            self._seen.mark(decision.seen_key, decision.admission.record.coordinates)
