"""What the stream asks of a log: the Protocols that Kafka and its memory twin implement."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from afterguard.contracts.records import InputRecord, OutputRecord


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.number}"


class AssignmentListener(Protocol):
    """Is told when partitions come and go."""

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """These partitions are ours from now on. Called before their first record; never blocks."""
        ...

    async def revoked(self, partitions: Sequence[Partition]) -> None:
        """These partitions will be taken away when this returns; commits still count."""
        ...


class Consumer(Protocol):
    """Reads the input topic as a member of the group."""

    async def start(self, listener: AssignmentListener) -> None:
        """Join the group.

        Raises:
            StreamUnavailable: No broker answered in time.
            TopicMissing: The input topic does not exist.
        """
        ...

    async def take(self, max_records: int, timeout_s: float) -> Sequence[InputRecord]:
        """The next records, in offset order within each partition.

        Returns after `timeout_s` at the latest with what there is, perhaps nothing. Must be
        called on while paused: it proves to the group that this member lives.

        Raises:
            StreamUnavailable: The broker is gone for good.
        """
        ...

    def pause(self) -> None:
        """Deliver nothing more from any assigned partition. Does nothing when none is."""
        ...

    def resume(self) -> None:
        """Deliver again. Does nothing when nothing is assigned."""
        ...

    async def commit(self, positions: Mapping[Partition, int]) -> bool:
        """Commit the next offset to read of each partition.

        Returns:
            False when the group has moved on and the commit does not count.

        Raises:
            StreamUnavailable: The broker did not answer.
        """
        ...

    def lag(self) -> Mapping[Partition, int]:
        """Records between the position and the end, where the end is known."""
        ...

    async def stop(self) -> None:
        """Leave the group. Ends in bounded time, also when the broker is gone."""
        ...


class Producer(Protocol):
    """Writes outputs, idempotently, acknowledged by all replicas."""

    async def start(self) -> None:
        """Connect.

        Raises:
            StreamUnavailable: No broker answered in time.
        """
        ...

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """Hand one record over; waits only while the send buffer is full.

        Returns:
            Done when the log has acknowledged the record, or with the error that refused it.
        """
        ...

    async def flush(self) -> None:
        """Wait until everything handed over is acknowledged or refused."""
        ...

    async def stop(self) -> None:
        """Flush and disconnect, in bounded time."""
        ...
