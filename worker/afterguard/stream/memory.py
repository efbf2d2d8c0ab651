"""The log in memory: the same contract as Kafka, for tests and a worker without a broker.

Holds its topics for as long as it lives; nothing is written to disk.
"""

import asyncio
from collections.abc import Mapping, Sequence
from time import time
from zlib import crc32

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import TopicMissing
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.stream.ports import AssignmentListener, Partition


class MemoryLog:
    """Topics of partitions of records, and what each group has committed."""

    def __init__(self, topics: Mapping[str, int]) -> None:
        self.partitions: dict[Partition, list[InputRecord]] = {
            Partition(topic, number): []
            for topic, count in topics.items()
            for number in range(count)
        }
        self.committed: dict[tuple[str, Partition], int] = {}
        self.grown = asyncio.Event()

    def append(self, record: OutputRecord) -> Coordinates:
        """Add a record at the end of its partition.

        Raises:
            TopicMissing: There is no such topic.
        """
        count = sum(1 for it in self.partitions if it.topic == record.topic)
        if not count:
            raise TopicMissing(f"topic {record.topic!r} does not exist")
        number = record.partition
        if number is None:
            number = crc32(record.key or b"") % count
        records = self.partitions[Partition(record.topic, number)]
        coordinates = Coordinates(record.topic, number, len(records))
        records.append(
            InputRecord(coordinates, record.key, record.value, record.headers, int(time() * 1000))
        )
        self.grown.set()
        return coordinates

    def records(self, topic: str) -> list[InputRecord]:
        """Everything in a topic, partition by partition."""
        return [
            record
            for partition, records in self.partitions.items()
            if partition.topic == topic
            for record in records
        ]


class MemoryConsumer:
    """The only member of its group; see `stream.ports.Consumer`."""

    def __init__(self, log: MemoryLog, topic: str, group: str) -> None:
        self._log, self._topic, self._group = log, topic, group
        self._positions: dict[Partition, int] = {}
        self._paused = False
        self._listener: AssignmentListener | None = None

    async def start(self, listener: AssignmentListener) -> None:
        """Own every partition of the topic."""
        mine = [it for it in self._log.partitions if it.topic == self._topic]
        if not mine:
            raise TopicMissing(f"topic {self._topic!r} does not exist")
        self._listener = listener
        self._positions = {it: self._log.committed.get((self._group, it), 0) for it in mine}
        listener.assigned(mine)

    async def take(self, max_records: int, timeout_s: float) -> Sequence[InputRecord]:
        """See `stream.ports.Consumer.take`."""
        self._log.grown.clear()
        taken = [] if self._paused else self._next(max_records)
        if not taken:
            try:
                await asyncio.wait_for(self._log.grown.wait(), timeout_s)
            except TimeoutError:
                return ()
            taken = [] if self._paused else self._next(max_records)
        return taken

    def _next(self, most: int) -> list[InputRecord]:
        taken: list[InputRecord] = []
        for partition, position in self._positions.items():
            batch = self._log.partitions[partition][position : position + most - len(taken)]
            self._positions[partition] += len(batch)
            taken += batch
        return taken

    def pause(self) -> None:
        """Deliver nothing more."""
        self._paused = True

    def resume(self) -> None:
        """Deliver again."""
        self._paused = False
        self._log.grown.set()

    async def commit(self, positions: Mapping[Partition, int]) -> bool:
        """Remember the positions for the group."""
        for partition, position in positions.items():
            self._log.committed[self._group, partition] = position
        return True

    def lag(self) -> Mapping[Partition, int]:
        """Records not yet taken."""
        return {
            partition: len(self._log.partitions[partition]) - position
            for partition, position in self._positions.items()
        }

    async def rebalance(self) -> None:
        """Lose every partition and get it back at its committed position, as Kafka does it."""
        assert self._listener is not None
        mine = list(self._positions)
        await self._listener.revoked(mine)
        self._positions = {it: self._log.committed.get((self._group, it), 0) for it in mine}
        self._paused = False
        self._listener.assigned(mine)

    async def stop(self) -> None:
        """Leave: the partitions are revoked."""
        if self._listener is not None:
            await self._listener.revoked(list(self._positions))
            self._listener = None


class MemoryProducer:
    """Writes to a `MemoryLog`; see `stream.ports.Producer`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def start(self) -> None:
        """Nothing to connect to."""

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """Append at once; the future is done."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        try:
            future.set_result(self._log.append(record))
        except TopicMissing as error:
            future.set_exception(error)
        return future

    async def flush(self) -> None:
        """Everything is written already."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""
