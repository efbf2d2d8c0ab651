"""The log in memory: the same contract as Kafka, for tests and a worker without a broker.

Holds its topics for as long as it lives; nothing is written to disk. Members of one group share
the partitions of their topic, and every change of members takes all partitions away from all of
them first, as Kafka's eager protocol does.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import time
from zlib import crc32

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import StreamUnavailable, TopicMissing
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.topic_defaults import MAX_MESSAGE_BYTES
from afterguard.stream.ports import AssignmentListener, Partition


class TooLarge(Exception):
    """The log refuses the record."""


class MemoryLog:
    """Topics of partitions of records, and what each group has committed.

    Args:
        topics: Partitions of each topic.
        max_record_bytes: A record whose key and value are larger is refused.
    """

    def __init__(
        self, topics: Mapping[str, int], *, max_record_bytes: int = MAX_MESSAGE_BYTES
    ) -> None:
        self.partitions: dict[Partition, list[InputRecord]] = {
            Partition(topic, number): []
            for topic, count in topics.items()
            for number in range(count)
        }
        self.committed: dict[tuple[str, Partition], int] = {}
        self.epochs: dict[str, int] = {}
        self.grown = asyncio.Event()
        self._max_record_bytes = max_record_bytes
        self._groups: dict[tuple[str, str], _Group] = {}

    def of_topic(self, topic: str) -> list[Partition]:
        """The partitions of a topic.

        Raises:
            TopicMissing: There is no such topic.
        """
        found = [it for it in self.partitions if it.topic == topic]
        if not found:
            raise TopicMissing(f"topic {topic!r} does not exist")
        return found

    def append(self, record: OutputRecord) -> Coordinates:
        """Add a record at the end of its partition.

        Raises:
            TopicMissing: There is no such topic.
            TooLarge: The record is larger than the log takes.
        """
        self.require_room(record)
        count = len(self.of_topic(record.topic))
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

    def require_room(self, record: OutputRecord) -> None:
        """See whether the log would take this record.

        Raises:
            TopicMissing: There is no such topic.
            TooLarge: The record is larger than the log takes.
        """
        self.of_topic(record.topic)
        if len(record.key or b"") + len(record.value or b"") > self._max_record_bytes:
            raise TooLarge

    def records(self, topic: str) -> list[InputRecord]:
        """Everything in a topic, partition by partition."""
        return [
            record
            for partition, records in self.partitions.items()
            if partition.topic == topic
            for record in records
        ]

    def group(self, name: str, topic: str) -> "_Group":
        """The group of that name that reads this topic."""
        return self._groups.setdefault((name, topic), _Group(self, topic))


class MemoryConsumer:
    """A member of a group; see `stream.ports.Consumer`."""

    def __init__(self, log: MemoryLog, topic: str, group: str) -> None:
        self._log, self._topic, self._group = log, topic, group
        self._positions: dict[Partition, int] = {}
        self._begun: dict[Partition, int] = {}
        self._held = False
        self._withheld: set[Partition] = set()
        self._listener: AssignmentListener | None = None

    async def start(self, listener: AssignmentListener) -> None:
        """Join: every member's partitions are dealt out anew."""
        self._log.of_topic(self._topic)
        self._listener = listener
        await self._log.group(self._group, self._topic).join(self)

    async def take(self, max_records: int, timeout_s: float) -> Sequence[InputRecord]:
        """See `stream.ports.Consumer.take`."""
        self._require_started()
        self._log.grown.clear()
        taken = self._next(max_records)
        if not taken:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._log.grown.wait()
            except TimeoutError:
                return ()
            taken = self._next(max_records)
        return taken

    def _next(self, most: int) -> list[InputRecord]:
        taken: list[InputRecord] = []
        for partition, position in self._positions.items():
            if not self._held and partition not in self._withheld:
                batch = self._log.partitions[partition][position : position + most - len(taken)]
                self._positions[partition] += len(batch)
                taken += batch
        return taken

    def pause(self, partitions: Sequence[Partition] | None = None) -> None:
        """See `stream.ports.Consumer.pause`."""
        if partitions is None:
            self._held = bool(self._positions)
        else:
            self._withheld |= self._positions.keys() & set(partitions)

    def resume(self, partitions: Sequence[Partition] | None = None) -> None:
        """See `stream.ports.Consumer.resume`."""
        if partitions is None:
            self._held = False
        else:
            self._withheld.difference_update(partitions)
        self._log.grown.set()

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """See `stream.ports.Consumer.committed`."""
        self._require_started()
        return {it: self._log.committed.get((self._group, it)) for it in partitions}

    async def beginnings(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """The log forgets nothing."""
        return dict.fromkeys(partitions, 0)

    def begun(self) -> Mapping[Partition, int]:
        """See `stream.ports.Consumer.begun`."""
        return self._begun

    def seek(self, partition: Partition, offset: int) -> None:
        """See `stream.ports.Consumer.seek`."""
        if partition not in self._positions:
            raise StreamUnavailable(f"{partition} is not assigned")
        self._positions[partition] = offset

    async def commit(self, positions: Mapping[Partition, int]) -> bool:
        """Remember the positions for the group, if all of these partitions are still ours."""
        self._require_started()
        if not positions.keys() <= self._positions.keys():
            return False
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
        """Deal the partitions of the whole group out anew, as a change of members does."""
        await self._log.group(self._group, self._topic).deal()

    async def stop(self) -> None:
        """Leave; the other members take over. The listener is not told, as with Kafka."""
        listener, self._listener = self._listener, None
        self._forget()
        if listener is not None:
            await self._log.group(self._group, self._topic).leave(self)

    async def give_up(self) -> None:
        """Revoke everything; commits still count until the listener returns."""
        if self._listener is not None and self._positions:
            mine = sorted(self._positions)
            # A rebalance delivers nothing, but what was delivered may still be committed.
            self._held = True
            await self._listener.revoked(mine)
            self._forget()

    def receive(self, partitions: Iterable[Partition]) -> None:
        """Own these from their committed positions on; nothing stays paused."""
        committed, group = self._log.committed, self._group
        self._forget()
        self._positions = {it: committed.get((group, it), 0) for it in partitions}
        self._begun = {it: 0 for it in self._positions if (group, it) not in committed}
        if self._listener is not None:
            self._listener.assigned(sorted(self._positions))
        self._log.grown.set()

    def _forget(self) -> None:
        self._positions, self._begun, self._held, self._withheld = {}, {}, False, set()

    def _require_started(self) -> None:
        if self._listener is None:
            raise StreamUnavailable("the consumer is not started")


class _Group:
    def __init__(self, log: MemoryLog, topic: str) -> None:
        self._log, self._topic = log, topic
        self._members: list[MemoryConsumer] = []
        self._dealing = asyncio.Lock()

    async def join(self, member: MemoryConsumer) -> None:
        await self.deal(joining=[member])

    async def leave(self, member: MemoryConsumer) -> None:
        self._members.remove(member)
        await self.deal()

    async def deal(self, *, joining: Sequence[MemoryConsumer] = ()) -> None:
        async with self._dealing:
            await asyncio.gather(*(member.give_up() for member in self._members))
            self._members += joining
            partitions = self._log.of_topic(self._topic)
            for place, member in enumerate(self._members):
                member.receive(partitions[place :: len(self._members)])


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
        except (TopicMissing, TooLarge) as error:
            future.set_exception(error)
        return future

    async def flush(self) -> None:
        """Everything is written already."""

    async def stop(self) -> None:
        """Nothing to disconnect from."""
