"""Publish: decisions and dead letters are written, then their events are settled.

An event is settled when the log has acknowledged every record about it. A record that is refused
ends the worker with its event unsettled: nothing is ever committed past it.
"""

import asyncio
from collections import deque
from functools import partial

from afterguard.contracts.errors import PublishFailed, RejectedInput
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.delivery.ledger import Entry, Stage
from afterguard.delivery.order import KeyOrder
from afterguard.flow.decide import Decision
from afterguard.stream.parcels import Parcels
from afterguard.stream.ports import Producer
from afterguard.telemetry.trail import Trail


class _Owed:
    """One event's records, and how many of them the log still owes us."""

    __slots__ = ("decision", "entry", "owed", "trail")

    def __init__(
        self, entry: Entry, owed: int, decision: Decision | None, trail: Trail | None
    ) -> None:
        self.entry, self.owed, self.decision, self.trail = entry, owed, decision, trail


class Publish:
    """Writes outputs and settles their events.

    Args:
        producer: The log.
        parcels: Makes the records of an event, and counts them.
    """

    def __init__(self, producer: Producer, parcels: Parcels) -> None:
        self._producer, self._parcels = producer, parcels
        self._queue: deque[tuple[OutputRecord, _Owed]] = deque()
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
                record, owed = queue.popleft()
                if owed.entry.live:
                    if owed.trail is not None:
                        owed.trail.hand_over()
                    acknowledged = await send(record)
                    acknowledged.add_done_callback(partial(self._acknowledged, owed))
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
        """Take a decision; see `flow.publisher.Publisher`."""
        records, intervention, written, trail = self._parcels.decided(decision)
        count = len(records) + (intervention is not None)
        owed = _Owed(decision.admission.entry, count, written, trail)
        for record in records:
            self._queue.append((record, owed))
        held = None if intervention is None else (intervention, owed)
        self._queue.extend(decision.admission.ticket.done(held))
        self._wake.set()

    def reject(self, record: InputRecord, entry: Entry, rejected: RejectedInput) -> None:
        """Write a record that is no event to the dead letters."""
        parcel = self._parcels.rejected(record, rejected)
        letters = parcel.records
        entry.advance(Stage.JUDGED)
        owed = _Owed(entry, len(letters), None, parcel.trail)
        self._queue.extend((letter, owed) for letter in letters)
        self._wake.set()

    @property
    def waiting(self) -> int:
        """Records not yet handed to the log."""
        return len(self._queue)

    def queued(self) -> list[Entry]:
        """Events of which a record was not handed to the log yet; for a look."""
        return [owed.entry for _, owed in self._queue]

    @staticmethod
    def held_back(order: KeyOrder[tuple[OutputRecord, _Owed]]) -> list[Entry]:
        """Events whose intervention waits for an earlier one of its conversation; for a look."""
        return [owed.entry for _, owed in order.waiting()]

    def _acknowledged(self, owed: _Owed, future: "asyncio.Future[object]") -> None:
        if future.cancelled() or future.exception() is not None:
            self._failure = future.exception() if not future.cancelled() else None
            self._failure = self._failure or asyncio.CancelledError()
            if owed.owed > 0:
                self._parcels.refused([owed.entry])
            # Told once; what the log still takes of this event does not settle it.
            owed.owed = 0
            self._wake.set()
            return
        owed.owed -= 1
        if owed.owed or not owed.entry.live:
            return
        self._parcels.acknowledged(owed.entry)
        if owed.decision is not None:
            self._parcels.written(owed.decision)
        if owed.trail is not None:
            self._parcels.told(owed.trail, owed.decision)
