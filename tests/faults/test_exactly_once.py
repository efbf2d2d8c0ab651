"""Exactly once: killed, frozen past its session or asked to end, a worker repeats nothing."""

import asyncio
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM
from typing import Any, Self

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.conftest import Broker, MakeTopics
from tests.faults.worker_process import WAIT_S, count, worker
from tests.kafka_worker import Found, event

from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.kills, pytest.mark.slow]

EXACTLY_ONCE: dict[str, Any] = {
    "guarantee": "exactly_once",
    "commit_interval_s": 0.1,
    "drain_timeout_s": 20,
    "revoke_grace_s": 1,
}
KILLS = 3
BATCH = 30
EVERY_S = 0.25


class Load:
    """Events that keep coming, and what the group has committed of them.

    One client each for all of the test: to connect anew at every look would be the larger load.
    """

    def __init__(self, broker: Broker, topics: TopicSettings, group: str) -> None:
        servers = broker.bootstrap_servers
        self._topic = topics.events
        self._producer = AIOKafkaProducer(bootstrap_servers=servers)
        self._onlooker = AIOKafkaConsumer(
            bootstrap_servers=servers, group_id=group, enable_auto_commit=False
        )
        self.sent = 0
        self._ended = asyncio.Event()

    async def run(self) -> None:
        while not self._ended.is_set():
            for number in range(self.sent, self.sent + BATCH):
                value = b"no event" if number % 10 == 9 else self._event(number)
                await self._producer.send(self._topic, value, b"k-%d" % number)
            await self._producer.flush()
            self.sent += BATCH
            await asyncio.sleep(EVERY_S)

    def _event(self, number: int) -> bytes:
        return event(number, conversation_id=f"c-{number % 17}")

    async def until_more(self, more: int) -> None:
        """Wait until so many more are committed, and events are in flight."""
        at_least = await self._committed() + more
        async with asyncio.timeout(WAIT_S):
            while not at_least <= await self._committed() < self.sent:
                await asyncio.sleep(0.05)

    async def until_all(self) -> None:
        """No more are sent; wait until all are committed."""
        self._ended.set()
        await self._running
        async with asyncio.timeout(WAIT_S):
            while await self._committed() < self.sent:
                await asyncio.sleep(0.1)

    async def _committed(self) -> int:
        offsets = [await self._onlooker.committed(it) for it in self._onlooker.assignment()]
        return sum(it or 0 for it in offsets)

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self._onlooker.start()
        numbers = self._onlooker.partitions_for_topic(self._topic) or ()
        self._onlooker.assign([TopicPartition(self._topic, number) for number in numbers])
        self._running = asyncio.create_task(self.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        await self._running
        await self._onlooker.stop()
        await self._producer.stop()


def assert_told_once(found: Found, doubled: int) -> None:
    """Every event has its one verdict or its one dead letter, in the order of its partition."""
    assert found.lost == []
    assert doubled == 0
    assert len(found.audit) + len(found.letters) == len(found.events)
    last: dict[tuple[int, int], int] = {}
    for record, verdict in zip(found.audit_records, found.audit, strict=True):
        row = (record.coordinates.partition, verdict.partition)
        assert verdict.offset > last.get(row, -1), "out of order"
        last[row] = verdict.offset


async def test_nothing_is_lost_or_repeated_over_several_kills(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics(partitions=3)
    async with (
        worker(tmp_path / "stays", group_kafka, topics, delivery=EXACTLY_ONCE) as stays,
        Load(group_kafka, topics, stays.group_id) as coming,
    ):
        for number in range(KILLS):
            folder = tmp_path / f"killed-{number}"
            async with worker(folder, group_kafka, topics, delivery=EXACTLY_ONCE) as killed:
                await killed.told("partition armed")
                await coming.until_more(3 * BATCH)
                await killed.kill()
        await coming.until_all()
        stays.send(SIGTERM)
        assert await stays.ended() == 0
    assert_told_once(*await count(group_kafka, topics))


async def test_a_worker_that_was_frozen_past_its_session_is_fenced_and_repeats_nothing(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics(partitions=2)
    async with (
        worker(tmp_path / "zombie", group_kafka, topics, delivery=EXACTLY_ONCE) as zombie,
        Load(group_kafka, topics, zombie.group_id) as coming,
    ):
        await coming.until_more(3 * BATCH)
        zombie.send(SIGSTOP)
        async with worker(tmp_path / "heir", group_kafka, topics, delivery=EXACTLY_ONCE) as heir:
            await heir.told("partition armed")
            await coming.until_more(3 * BATCH)
            zombie.send(SIGCONT)
            fenced = await zombie.told(
                "a transaction failed; what it held is judged again where it does not count"
            )
            assert fenced["error"] == "Fenced"
            await coming.until_more(3 * BATCH)
            heir.send(SIGTERM)
            assert await heir.ended() == 0
        await coming.until_all()
        zombie.send(SIGTERM)
        assert await zombie.ended() == 0
    assert_told_once(*await count(group_kafka, topics))
