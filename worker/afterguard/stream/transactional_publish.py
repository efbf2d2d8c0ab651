"""Publish under exactly once: decided events wait until all earlier ones of their partition are.

The committed offset says where the next owner goes on. An output of an event beyond it would be
written again, so outputs leave in offset order, the contiguous decided prefix at a time, and one
slow event holds back those behind it. The budget bounds how many these are.
"""

import asyncio
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Any, NamedTuple

from afterguard.contracts.errors import RejectedInput
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.delivery.ledger import Entry, Ledger, Stage
from afterguard.delivery.order import KeyOrder
from afterguard.flow.decide import Decision
from afterguard.stream.parcels import Parcel, Parcels


class Decided(NamedTuple):
    """One event that may leave: its place in the ledger and what is written about it."""

    entry: Entry
    parcel: Parcel

    @property
    def records(self) -> list[OutputRecord]:
        """Its records, the intervention last."""
        last = self.parcel.intervention
        return self.parcel.records if last is None else [*self.parcel.records, last]


class TransactionalPublish:
    """Keeps what is decided until a transaction takes it; see `stream.guarantee.Publishing`.

    Args:
        parcels: Makes the records of an event, and counts them.
        wake_at: `full` is set when so many events were decided since it was cleared.
    """

    def __init__(self, parcels: Parcels, *, wake_at: int) -> None:
        self._parcels, self._wake_at = parcels, wake_at
        self._kept: dict[Entry, Parcel] = {}
        self._since = 0
        self._closing = asyncio.Event()
        self.full = asyncio.Event()

    async def run(self) -> None:
        """Wait for `close`: transactions write by themselves."""
        await self._closing.wait()

    def close(self) -> None:
        """See `stream.guarantee.Publishing.close`."""
        self._closing.set()

    def publish(self, decision: Decision) -> None:
        """Take a decision; see `flow.publisher.Publisher`."""
        # All leave in offset order, so those of one conversation do too.
        decision.admission.ticket.done()
        self._keep(decision.admission.entry, self._parcels.decided(decision))

    def reject(self, record: InputRecord, entry: Entry, rejected: RejectedInput) -> None:
        """See `stream.guarantee.Publishing.reject`."""
        entry.advance(Stage.JUDGED)
        self._keep(entry, self._parcels.rejected(record, rejected))

    def _keep(self, entry: Entry, parcel: Parcel) -> None:
        if not entry.live:
            return
        self._kept[entry] = parcel
        self._since += 1
        if self._since >= self._wake_at:
            self.full.set()

    @property
    def waiting(self) -> int:
        """Events that are decided and not yet written."""
        return len(self._kept)

    def queued(self) -> Collection[Entry]:
        """Those events."""
        return self._kept.keys()

    def held_back(self, order: KeyOrder[Any]) -> Collection[Entry]:  # noqa: ARG002
        """None: all of a partition waits in one row, whatever its conversation."""
        return ()

    def look(self) -> None:
        """Somebody looks at all of it now; `full` is set when as much is decided again."""
        self._since = 0
        self.full.clear()

    def prefix(self, ledger: Ledger, most: int) -> list[Decided]:
        """The oldest events of a ledger, up to the first that is not decided."""
        found: list[Decided] = []
        for entry in islice(ledger.in_order(), most):
            parcel = self._kept.get(entry)
            if parcel is None:
                break
            found.append(Decided(entry, parcel))
        return found

    def taken(self, events: Sequence[Decided]) -> None:
        """A transaction begins with these."""
        for _, parcel in events:
            if parcel.trail is not None:
                parcel.trail.hand_over()

    def committed(self, events: Sequence[Decided]) -> None:
        """The log has these for good, and their offset: settle them."""
        for entry, parcel in events:
            del self._kept[entry]
            # The partition may have been taken away while the commit was under way.
            if entry.live:
                self._parcels.acknowledged(entry)
            if parcel.decision is not None:
                self._parcels.written(parcel.decision)
            if parcel.trail is not None:
                self._parcels.told(parcel.trail, parcel.decision)
        self._parcels.advanced(len(events))

    def refused(self, events: Sequence[Decided]) -> None:
        """A transaction with these failed."""
        self._parcels.refused(it.entry for it in events)

    def forget_abandoned(self) -> None:
        """Drop what belongs to ledgers that are closed."""
        self._kept = {entry: parcel for entry, parcel in self._kept.items() if entry.live}
