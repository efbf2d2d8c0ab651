"""Exactly once: killed, frozen past its session or asked to end, a worker repeats nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGCONT, SIGSTOP, SIGTERM
from typing import Any

import pytest
from tests.conftest import Broker, MakeTopics
from tests.faults.worker_process import WAIT_S, count, fill, until_committed, worker
from tests.kafka_worker import Found
from tests.onlooker import committed

from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.kills, pytest.mark.slow]

EXACTLY_ONCE: dict[str, Any] = {
    "guarantee": "exactly_once",
    "commit_interval_s": 0.1,
    "drain_timeout_s": 20,
    "revoke_grace_s": 1,
}
KILLS = 5
BATCH = 30
EVERY_S = 0.25


class Load:
    """Events that keep coming, and what the group has committed of them."""

    def __init__(self, broker: Broker, topics: TopicSettings) -> None:
        self._broker, self._topics = broker, topics
        self.sent = 0
        self.ended = False

    async def run(self) -> None:
        while not self.ended:
            await fill(self._broker, self._topics, BATCH)
            self.sent += BATCH
            await asyncio.sleep(EVERY_S)

    async def until_more(self, group: str, more: int) -> None:
        """Wait until so many more are committed, and events are in flight."""
        at_least = await self._committed(group) + more
        await until_committed(self._broker, self._topics, group, at_least)
        async with asyncio.timeout(WAIT_S):
            while await self._committed(group) >= self.sent:
                await asyncio.sleep(0.02)

    async def until_all(self, group: str) -> None:
        await until_committed(self._broker, self._topics, group, self.sent)

    async def _committed(self, group: str) -> int:
        servers = self._broker.bootstrap_servers
        return sum((await committed(servers, group, self._topics.events)).values())


@asynccontextmanager
async def load(broker: Broker, topics: TopicSettings) -> AsyncIterator[Load]:
    """Events keep coming within this block."""
    coming = Load(broker, topics)
    task = asyncio.create_task(coming.run())
    try:
        yield coming
    finally:
        coming.ended = True
        await task


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
    async with worker(tmp_path / "stays", group_kafka, topics, delivery=EXACTLY_ONCE) as stays:
        async with load(group_kafka, topics) as coming:
            for number in range(KILLS):
                async with worker(
                    tmp_path / f"killed-{number}", group_kafka, topics, delivery=EXACTLY_ONCE
                ) as killed:
                    await killed.told("partition armed")
                    await coming.until_more(stays.group_id, 3 * BATCH)
                    await killed.kill()
        await coming.until_all(stays.group_id)
        stays.send(SIGTERM)
        assert await stays.ended() == 0
    assert_told_once(*await count(group_kafka, topics))


async def test_a_worker_that_was_frozen_past_its_session_is_fenced_and_repeats_nothing(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics(partitions=2)
    async with worker(tmp_path / "zombie", group_kafka, topics, delivery=EXACTLY_ONCE) as zombie:
        async with load(group_kafka, topics) as coming:
            await coming.until_more(zombie.group_id, 3 * BATCH)
            zombie.send(SIGSTOP)
            async with worker(
                tmp_path / "heir", group_kafka, topics, delivery=EXACTLY_ONCE
            ) as heir:
                await heir.told("partition armed")
                await coming.until_more(heir.group_id, 3 * BATCH)
                zombie.send(SIGCONT)
                fenced = await zombie.told(
                    "a transaction failed; what it held is judged again where it does not count"
                )
                assert fenced["error"] == "Fenced"
                await coming.until_more(heir.group_id, 3 * BATCH)
                heir.send(SIGTERM)
                assert await heir.ended() == 0
        await coming.until_all(zombie.group_id)
        zombie.send(SIGTERM)
        assert await zombie.ended() == 0
    assert_told_once(*await count(group_kafka, topics))
