"""The two logs behind one face, so that one suite states what both promise."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import uuid4

from tests.conftest import Broker
from tests.onlooker import committed, read_topic

from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.stream.kafka.admin import TopicPlan, create_topics
from afterguard.stream.kafka.consumer import KafkaConsumer
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.kafka.transactional import KafkaTransactionalProducers
from afterguard.stream.memory import MemoryConsumer, MemoryLog, MemoryProducer
from afterguard.stream.memory_transactions import MemoryTransactionalProducer
from afterguard.stream.ports import Consumer, Partition, Producer, TransactionalProducer

TAKE_S = 0.2
WAIT_S = 20.0


class Log(Protocol):
    """What the suite needs of a log beside its consumers and producers."""

    async def topic(self, partitions: int) -> str: ...

    def consumer(self, topic: str, group: str) -> Consumer: ...

    def producer(self) -> Producer: ...

    def transactional(self, group: str, partition: Partition) -> TransactionalProducer: ...

    async def read(self, topic: str) -> list[InputRecord]: ...

    async def committed(self, group: str, partition: Partition) -> int | None: ...


class KafkaLog:
    """A broker."""

    def __init__(self, broker: Broker, *, empty_fetch_pause_ms: int = 0) -> None:
        self._broker, self._pause_ms = broker, empty_fetch_pause_ms

    async def topic(self, partitions: int) -> str:
        name = f"log.{uuid4().hex[:8]}"
        plan = TopicPlan(name, "events", partitions, replication=1)
        await create_topics(self._broker.settings(), [plan])
        return name

    def consumer(self, topic: str, group: str) -> Consumer:
        settings = self._broker.settings(group_id=group, empty_fetch_pause_ms=self._pause_ms)
        return KafkaConsumer(settings, topic)

    def producer(self) -> Producer:
        return KafkaProducer(self._broker.settings(request_timeout_ms=1_000))

    def transactional(self, group: str, partition: Partition) -> TransactionalProducer:
        settings = self._broker.settings(group_id=group, request_timeout_ms=3_000)
        return KafkaTransactionalProducers(settings, timeout_s=30)(partition)

    async def read(self, topic: str) -> list[InputRecord]:
        return await read_topic(self._broker.bootstrap_servers, topic)

    async def committed(self, group: str, partition: Partition) -> int | None:
        found = await committed(self._broker.bootstrap_servers, group, partition.topic)
        return found.get(partition.number)


class InMemory:
    """The memory twin."""

    def __init__(self) -> None:
        self._log = MemoryLog({})

    async def topic(self, partitions: int) -> str:
        name = f"log.{uuid4().hex[:8]}"
        self._log.partitions |= {Partition(name, number): [] for number in range(partitions)}
        return name

    def consumer(self, topic: str, group: str) -> Consumer:
        return MemoryConsumer(self._log, topic, group)

    def producer(self) -> Producer:
        return MemoryProducer(self._log)

    def transactional(self, group: str, partition: Partition) -> TransactionalProducer:
        return MemoryTransactionalProducer(self._log, group, partition)

    async def read(self, topic: str) -> list[InputRecord]:
        return self._log.records(topic)

    async def committed(self, group: str, partition: Partition) -> int | None:
        return self._log.committed.get((group, partition))


@dataclass
class Listening:
    """A listener that writes down what it was told, and may commit while partitions go."""

    told: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    consumer: Consumer | None = None
    commit_on_revoke: Mapping[Partition, int] = field(default_factory=dict)
    counted: bool | None = None

    def assigned(self, partitions: Sequence[Partition]) -> None:
        self.told.append(("assigned", tuple(it.number for it in partitions)))

    async def revoked(self, partitions: Sequence[Partition]) -> None:
        self.told.append(("revoked", tuple(it.number for it in partitions)))
        if self.consumer is not None and self.commit_on_revoke:
            self.counted = await self.consumer.commit(self.commit_on_revoke)

    @property
    def owned(self) -> tuple[int, ...]:
        """What the last word was."""
        return self.told[-1][1] if self.told and self.told[-1][0] == "assigned" else ()


async def write(log: Log, records: Sequence[OutputRecord]) -> None:
    """Write records and wait for their acknowledgement."""
    producer = log.producer()
    await producer.start()
    try:
        for acknowledged in [await producer.send(record) for record in records]:
            await acknowledged
    finally:
        await producer.stop()


async def take(consumer: Consumer, count: int) -> list[InputRecord]:
    """Exactly so many records; fails when they do not come."""
    found: list[InputRecord] = []
    async with asyncio.timeout(WAIT_S):
        while len(found) < count:
            found += await consumer.take(count - len(found), TAKE_S)
    return found


async def nothing_more(consumer: Consumer) -> bool:
    """Whether a few takes in a row bring nothing."""
    return not [it for _ in range(3) for it in await consumer.take(10, TAKE_S)]
