"""A worker that is killed at any moment loses nothing; what it repeats, it repeats with its id."""

from pathlib import Path
from signal import SIGTERM

import pytest
from tests.conftest import Broker, MakeTopics
from tests.faults.worker_process import (
    count,
    fill,
    until_committed,
    until_written,
    worker,
    written,
)

pytestmark = [pytest.mark.broker, pytest.mark.kills, pytest.mark.slow]

EVENTS = 900
IN_FLIGHT = 100
# What may be written and not yet committed: a tenth of a second of some 400 events a second, and
# the time that a commit takes on a busy machine.
UNCOMMITTED = 200


async def test_nothing_is_lost_over_several_kills(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics(partitions=3)
    await fill(group_kafka, topics, EVENTS)
    kills = 0
    for share in (0.15, 0.4, 0.65):
        async with worker(tmp_path, group_kafka, topics) as process:
            await until_written(group_kafka, topics.audit, int(EVENTS * share), process)
            await process.kill()
            kills += 1
            assert await written(group_kafka, topics.audit) < EVENTS, "killed in the middle"
    async with worker(tmp_path, group_kafka, topics) as process:
        offsets = await until_committed(group_kafka, topics, process.group_id, EVENTS)

    found, doubled = await count(group_kafka, topics)
    assert found.lost == []
    assert sum(offsets.values()) == EVENTS
    assert len({(it.partition, it.offset) for it in found.audit}) == EVENTS * 9 // 10
    assert len({(it.partition, it.offset) for it in found.letters}) == EVENTS // 10
    assert doubled <= kills * (IN_FLIGHT + UNCOMMITTED)


async def test_workers_that_come_and_go_lose_nothing(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics(partitions=4)
    await fill(group_kafka, topics, EVENTS)
    async with worker(tmp_path / "stays", group_kafka, topics) as stays:
        await until_written(group_kafka, topics.audit, EVENTS // 6, stays)
        async with worker(tmp_path / "leaves", group_kafka, topics) as leaves:
            assert (await leaves.told("partitions assigned"))["partitions"]
            await until_written(group_kafka, topics.audit, EVENTS // 3, leaves)
        # The second was killed at the end of its block; a third takes its place and drains.
        async with worker(tmp_path / "drains", group_kafka, topics) as drains:
            await until_written(group_kafka, topics.audit, EVENTS // 2, drains)
            drains.send(SIGTERM)
            assert await drains.ended() == 0
        await until_committed(group_kafka, topics, stays.group_id, EVENTS)
        stays.send(SIGTERM)
        assert await stays.ended() == 0
    found, doubled = await count(group_kafka, topics)
    assert found.lost == []
    assert doubled <= 2 * (IN_FLIGHT + UNCOMMITTED)
