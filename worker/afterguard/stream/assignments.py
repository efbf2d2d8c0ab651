"""Assignments: the ledgers and rows of the partitions that are ours right now."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from afterguard.delivery.ledger import Fates, Ledger
from afterguard.delivery.order import KeyOrder
from afterguard.stream.ports import Partition


@dataclass(slots=True)
class Assignment:
    """One partition under one assignment.

    Attributes:
        partition: Which.
        ledger: What was taken in and how far it is.
        order: Interventions of one conversation, in event order.
        committed: The last position that was committed; None before the first.
    """

    partition: Partition
    ledger: Ledger
    order: KeyOrder[Any]
    committed: int | None = None


class Assignments:
    """All assignments of this worker.

    Args:
        release: Called with the tokens of each entry that leaves a ledger.
    """

    def __init__(self, release: Callable[[int], None]) -> None:
        self._release = release
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
            self._held[partition] = Assignment(partition, ledger, KeyOrder())

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

    def uncommitted(self) -> Mapping[Partition, int]:
        """The positions that have moved since they were last committed."""
        return {
            it.partition: it.ledger.position
            for it in self._held.values()
            if it.ledger.position is not None and it.ledger.position != it.committed
        }

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
