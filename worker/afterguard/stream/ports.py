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

    def pause(self, partitions: Sequence[Partition] | None = None) -> None:
        """Deliver nothing more.

        Args:
            partitions: From these until they are resumed by name or taken away. None: from any,
                until all are resumed. Does nothing when nothing is assigned.
        """
        ...

    def resume(self, partitions: Sequence[Partition] | None = None) -> None:
        """Deliver again, except what is still paused in the other way.

        Args:
            partitions: As in `pause`.
        """
        ...

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """What the group has committed; None where nothing. Waits for open transactions.

        Raises:
            StreamUnavailable: The broker did not answer.
        """
        ...

    async def beginnings(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """The offset of the first record that the log still holds, or will hold.

        Raises:
            StreamUnavailable: The broker did not answer.
        """
        ...

    def begun(self) -> Mapping[Partition, int]:
        """Where reading began, of those partitions that are ours and had no commit."""
        ...

    def seek(self, partition: Partition, offset: int) -> None:
        """Read on from there. Nothing that was fetched before is delivered any more.

        Raises:
            StreamUnavailable: The partition is not ours.
        """
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


class TransactionalProducer(Protocol):
    """Writes the outputs of one input partition, and its offset with them or not at all.

    One object serves one assignment of one partition. After any error it is good for nothing but
    `abort` and `stop`, and after `Fenced` for `stop` alone. No call has a timeout of its own.
    """

    async def start(self) -> None:
        """Connect, and fence every earlier producer of the same transactional id.

        A transaction that one of them left open is aborted, or brought to its end.

        Raises:
            Fenced: A later one was quicker.
            StreamUnavailable: The broker did not answer.
            StreamError: The broker refuses this client.
        """
        ...

    async def begin(self) -> None:
        """Begin a transaction.

        Raises:
            Fenced: Another producer of this id was started.
            StreamUnavailable: The broker did not answer.
        """
        ...

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """Hand one record over.

        Returns:
            Done when the log has the record, or with the error: `PublishFailed` when the log
            refuses it, else as `begin`. A commit succeeds without a record that failed, so each
            must be looked at before.
        """
        ...

    async def send_offset(self, partition: Partition, offset: int) -> None:
        """Let the group go on there once this transaction is committed.

        Raises:
            Fenced: Another producer of this id was started.
            StreamUnavailable: The broker did not answer.
        """
        ...

    async def commit(self) -> None:
        """End the transaction: all of it counts. When this fails, it may count or not.

        Raises:
            Fenced: Another producer of this id was started; nothing of it counts.
            StreamUnavailable: The broker did not answer.
        """
        ...

    async def abort(self) -> None:
        """End the transaction: nothing of it counts.

        Raises:
            Fenced: Another producer of this id was started.
            StreamUnavailable: The broker did not answer.
        """
        ...

    async def stop(self) -> None:
        """Disconnect, also after a start that failed.

        An open transaction is left for the next producer of this id to end.
        """
        ...
