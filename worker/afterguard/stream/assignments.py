"""Assignments: the ledgers and rows of the partitions that are ours right now."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any

from afterguard.contracts.words import Lane
from afterguard.delivery.ledger import Entry, Fates, Ledger
from afterguard.delivery.order import KeyOrder
from afterguard.delivery.unjudged import Unjudged
from afterguard.stream.ports import Partition
from afterguard.telemetry.partition_metrics import UNREAD


@dataclass(slots=True)
class Assignment:
    """One partition under one assignment.

    Attributes:
        partition: Which.
        ledger: What was taken in and how far it is.
        order: Interventions of one conversation, in event order.
        since: When it began, wall clock.
        committed: The last position that was committed; None before the first.
        unjudged: What may have no verdict yet, by lane.
        newest_ms: The time of the record that was taken last, milliseconds since the epoch; None
            before the first.
    """

    partition: Partition
    ledger: Ledger
    order: KeyOrder[Any]
    since: float
    committed: int | None = None
    unjudged: dict[Lane, Unjudged] = field(default_factory=lambda: {it: Unjudged() for it in Lane})
    newest_ms: int | None = None

    def take(self, time_ms: int, lane: Lane, entry: Entry) -> None:
        """A record is an event that will be judged.

        Args:
            time_ms: Of the record, milliseconds since the epoch.
            lane: Of the event.
            entry: Its place in the ledger.
        """
        self.newest_ms = time_ms
        self.unjudged[lane].add(time_ms, entry)

    def oldest_unjudged(self, now: float, lag: int) -> dict[str, float]:
        """How old the oldest event without a verdict is, seconds; by lane, those that have one.

        Args:
            now: The wall clock.
            lag: How many records are not taken in yet.
        """
        found = {
            lane.value: max(0.0, now - time_ms / 1000)
            for lane, unjudged in self.unjudged.items()
            if (time_ms := unjudged.oldest()) is not None
        }
        if lag > 0:
            # What is behind the last record is not older than it, so nobody waits longer.
            newest = self.since if self.newest_ms is None else self.newest_ms / 1000
            found[UNREAD] = max(0.0, now - newest)
        return found


class Assignments:
    """All assignments of this worker.

    Args:
        release: Called with the tokens of each entry that leaves a ledger.
        now: The wall clock.
    """

    def __init__(self, release: Callable[[int], None], *, now: Callable[[], float] = time) -> None:
        self._release, self._now = release, now
        self._held: dict[Partition, Assignment] = {}
        self._past = Fates(0, 0, 0, 0)

    def open(self, partitions: Iterable[Partition], *, first_offset: int = 0) -> None:
        """Begin anew with these partitions; earlier assignments of them are closed.

        Args:
            partitions: Each gets an empty ledger.
            first_offset: Where reading begins, if that is known; see `Ledger`.
        """
        for partition in partitions:
            self.close([partition])
            ledger = Ledger(self._release, first_offset=first_offset)
            self._held[partition] = Assignment(partition, ledger, KeyOrder(), self._now())

    def close(self, partitions: Iterable[Partition]) -> int:
        """End these assignments.

        Returns:
            How many events were abandoned; the partition's next owner reads them again.
        """
        abandoned = 0
        for partition in partitions:
            assignment = self._held.pop(partition, None)
            if assignment is not None:
                abandoned += len(assignment.ledger.close())
                self._past = _sum(self._past, assignment.ledger.fates)
        return abandoned

    def get(self, partition: Partition) -> Assignment | None:
        """The assignment of a partition; None when it is not ours."""
        return self._held.get(partition)

    def __iter__(self) -> Iterator[Assignment]:
        return iter(self._held.values())

    def __len__(self) -> int:
        return len(self._held)

    def uncommitted(self, begun: Mapping[Partition, int] | None = None) -> Mapping[Partition, int]:
        """The positions that have moved since they were last committed.

        Args:
            begun: Where reading began, of partitions that had no commit then; it is their position
                until something of them is settled.
        """
        begun = begun or {}
        found: dict[Partition, int] = {}
        for it in self._held.values():
            position = it.ledger.position
            if position is None and it.committed is None:
                position = begun.get(it.partition)
            if position is not None and position != it.committed:
                found[it.partition] = position
        return found

    def mark_committed(self, positions: Mapping[Partition, int]) -> None:
        """Remember what was committed."""
        for partition, position in positions.items():
            if assignment := self._held.get(partition):
                assignment.committed = position

    def in_flight(self, partitions: Iterable[Partition] | None = None) -> int:
        """Events taken in and not settled, of these partitions or of all."""
        chosen = (
            self._held.values()
            if partitions is None
            else (it for partition in partitions if (it := self._held.get(partition)))
        )
        return sum(it.ledger.in_flight for it in chosen)

    @property
    def settled(self) -> int:
        """Events that were ever settled, by the books; `fates` looks at each one in flight."""
        return self._past.settled + sum(it.ledger.settled for it in self._held.values())

    @property
    def fates(self) -> Fates:
        """The balance over all assignments, past ones included."""
        total = self._past
        for assignment in self._held.values():
            total = _sum(total, assignment.ledger.fates)
        return total


def _sum(one: Fates, other: Fates) -> Fates:
    return Fates(*(a + b for a, b in zip(one, other, strict=True)))
