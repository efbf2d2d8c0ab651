"""Intake: records become admitted events, as many as the budget allows.

Keeps polling while paused, since a member that stops polling is thrown out of its group.
"""

import asyncio
from collections.abc import Callable, Sequence
from enum import StrEnum
from time import monotonic

import structlog

from afterguard.contracts.errors import RejectedInput, RejectReason
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import InputRecord
from afterguard.contracts.replays import claims_origin, origin_of
from afterguard.delivery.budget import TokenBudget
from afterguard.flow.admit import Admission, Admit
from afterguard.stream.assignments import Assignment, Assignments
from afterguard.stream.guarantee import Publishing
from afterguard.stream.ports import Consumer, Partition
from afterguard.stream.settings import IntakeSettings
from afterguard.telemetry.metrics import Metrics
from afterguard.telemetry.tracing import NO_TRACING, Tracing

_log = structlog.get_logger(__name__)

_POLL_S = 0.5
_PAUSED_POLL_S = 0.02
_LOG_EVERY_S = 10.0


class Hold(StrEnum):
    """Why intake takes nothing in. Several may hold it at once; it goes on when none does."""

    BUDGET = "budget"
    FLOOD = "flood"
    REBALANCE = "rebalance"
    CLOSING = "closing"


# Partitions are about to go: what was fetched and is not taken in is read again by their next
# owner. Under any other hold it must be taken in, for nobody else would read it.
_GIVES_BACK = frozenset({Hold.REBALANCE, Hold.CLOSING})


class Intake:
    """Takes records from the log and offers events to the flow.

    Args:
        consumer: The log.
        assignments: The partitions that are ours.
        decode: Bytes to an event; raises `RejectedInput`.
        estimate: Tokens that judging an event will take, roughly.
        admit: Says what an event needs.
        offer: Takes an admission into the flow; returns at once.
        publish: Takes records that are no events.
        budget: How much may be in flight.
        flooded: Whether dead letters come in a flood that nobody has accepted.
        tracing: Says which events are followed.
        settings: Batch size.
        metrics: Where records are counted.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        consumer: Consumer,
        assignments: Assignments,
        *,
        decode: Callable[[InputRecord], ChatEvent],
        estimate: Callable[[ChatEvent], int],
        admit: Admit,
        offer: Callable[[Admission], None],
        publish: Publishing,
        budget: TokenBudget,
        settings: IntakeSettings,
        metrics: Metrics,
        flooded: Callable[[], bool] = lambda: False,
        tracing: Tracing = NO_TRACING,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._consumer, self._assignments = consumer, assignments
        self._decode, self._estimate = decode, estimate
        self._admit, self._offer = admit, offer
        self._publish, self._budget = publish, budget
        self._settings, self._metrics = settings, metrics
        self._flooded, self._tracing, self._clock = flooded, tracing, clock
        self._paused = False
        self._holds: set[Hold] = set()
        self._taken, self._taken_s = 0, 0.0
        self._reject_logged = self._claim_logged = -_LOG_EVERY_S
        self.polled_at = clock()

    async def run(self) -> None:
        """Take and offer until `close`; goes on polling, paused, until it is cancelled.

        Raises:
            StreamUnavailable: The broker is gone for good.
        """
        while True:
            room = self._budget.room_events
            most = max(1, min(self._settings.max_poll_records, room))
            records = await self._consumer.take(most, _PAUSED_POLL_S if self._paused else _POLL_S)
            self.polled_at = self._clock()
            if records and not self._holds & _GIVES_BACK:
                self._accept(records)
            self._steer()
            # A full batch leaves the loop no other chance to serve what was just admitted.
            await asyncio.sleep(0)

    def close(self) -> None:
        """Take nothing more in; what was fetched and not admitted is read again later."""
        self.hold(Hold.CLOSING)

    @property
    def paused(self) -> bool:
        """Whether intake is held back."""
        return self._paused

    @property
    def holds(self) -> frozenset[Hold]:
        """All that holds it back."""
        return frozenset(self._holds)

    def hold(self, why: Hold = Hold.REBALANCE) -> None:
        """Take nothing in until this reason is released."""
        self._holds.add(why)
        self._consumer.pause()
        self._paused = True

    def release(self, why: Hold = Hold.REBALANCE) -> None:
        """This reason is gone; others may hold intake still. It goes on with the next poll."""
        self._holds.discard(why)
        # A new assignment begins unpaused, whatever was paused before.
        if self._paused:
            self._consumer.pause()

    def _accept(self, records: Sequence[InputRecord]) -> None:
        self._metrics.events_received.inc(len(records))
        self._taken, self._taken_s = 0, 0.0
        partition: Partition | None = None
        assignment: Assignment | None = None
        for record in records:
            coordinates = record.coordinates
            if partition is None or partition != coordinates[:2]:
                partition = Partition(coordinates.topic, coordinates.partition)
                assignment = self._assignments.get(partition)
            if assignment is not None:
                self._take_in(record, assignment)
        self._metrics.rooms.intake.left(self._taken_s, self._taken)

    def _take_in(self, record: InputRecord, assignment: Assignment) -> None:
        now = self._clock()
        if record.headers and claims_origin(record):
            self._count_replay(record)
        try:
            event = self._decode(record)
            tokens = self._estimate(event)
        except RejectedInput as rejected:
            self._reject(record, assignment, rejected, now)
            return
        except Exception as error:  # noqa: BLE001 (one odd record must not stop its partition)
            self._reject(record, assignment, self._unforeseen(record, error), now)
            return
        if event.model_extra:
            self._metrics.unknown_fields.inc(len(event.model_extra))
        entry = assignment.ledger.admit(record.coordinates.offset, tokens, now)
        self._budget.take(tokens)
        ticket = assignment.order.enter(event.conversation_id)
        admission = self._admit.admit(event, record, entry, ticket)
        if (trail := self._tracing.begin(record)) is not None:
            trail.lane, admission.trail = admission.lane, trail
        self._taken += 1
        self._taken_s += admission.received - self.polled_at
        # A log may keep no times; the time of taking in is the next best.
        time_ms = record.timestamp_ms
        if time_ms <= 0:
            time_ms = int(admission.received_at.timestamp() * 1000)
        assignment.take(time_ms, admission.lane, entry)
        self._offer(admission)

    def _count_replay(self, record: InputRecord) -> None:
        believed = origin_of(record) is not None
        self._metrics.replayed["believed" if believed else "refused"].inc()
        now = self._clock()
        if not believed and now - self._claim_logged >= _LOG_EVERY_S:
            self._claim_logged = now
            _log.warning(
                "a record claims an origin that is not believed; its ids are made from its own "
                "place",
                coordinates=str(record.coordinates),
            )

    def _reject(
        self, record: InputRecord, assignment: Assignment, rejected: RejectedInput, now: float
    ) -> None:
        entry = assignment.ledger.admit(record.coordinates.offset, 0, now)
        self._budget.take(0)
        self._metrics.rejected[rejected.reason].inc()
        self._metrics.rooms.intake.failed(now - self.polled_at)
        if record.timestamp_ms > 0:
            assignment.newest_ms = record.timestamp_ms
        # A flood of bad records must not become a flood of log lines; every one is counted.
        if now - self._reject_logged >= _LOG_EVERY_S:
            self._reject_logged = now
            _log.warning(
                "record rejected; it goes to the dead letters",
                coordinates=str(record.coordinates),
                reason=rejected.reason.value,
                detail=rejected.detail,
            )
        self._publish.reject(record, entry, rejected)

    @staticmethod
    def _unforeseen(record: InputRecord, error: Exception) -> RejectedInput:
        # The text of an unknown error may quote the message, so only its type is told.
        _log.error(
            "reading a record failed in a way nobody foresaw",
            coordinates=str(record.coordinates),
            error=type(error).__name__,
        )
        return RejectedInput(RejectReason.UNREADABLE, type(error).__name__)

    def _steer(self) -> None:
        self._note(Hold.BUDGET, holds=self._budget.exhausted)
        self._note(Hold.FLOOD, holds=self._flooded())
        held = bool(self._holds)
        if held and not self._paused:
            self._consumer.pause()
        elif self._paused and not held:
            self._consumer.resume()
        self._paused = held

    def _note(self, why: Hold, *, holds: bool) -> None:
        (self._holds.add if holds else self._holds.discard)(why)
