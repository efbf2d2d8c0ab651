"""A worker that is asked to end finishes what is in flight, commits it, and says how it ended."""

from pathlib import Path
from signal import SIGINT, SIGTERM, Signals

import pytest
from tests.conftest import Broker, MakeTopics
from tests.faults.worker_process import count, fill, until_committed, until_written, worker
from tests.onlooker import committed

from afterguard.contracts.exit_codes import ExitCode

pytestmark = [pytest.mark.broker, pytest.mark.kills, pytest.mark.slow]

EVENTS = 600


@pytest.mark.parametrize("signal", [SIGTERM, SIGINT])
async def test_under_load_it_ends_in_order_with_everything_settled_committed(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path, signal: Signals
) -> None:
    topics = await make_topics(partitions=2)
    await fill(group_kafka, topics, EVENTS)
    async with worker(tmp_path, group_kafka, topics) as process:
        await until_written(group_kafka, topics.audit, EVENTS // 5, process)
        process.send(signal)
        assert await process.ended(within_s=20) == ExitCode.DRAINED
        ended = await process.told("ended")
        offsets = await committed(group_kafka.bootstrap_servers, process.group_id, topics.events)
    found, doubled = await count(group_kafka, topics)
    told = {(it.partition, it.offset) for it in found.audit}
    told |= {(it.partition, it.offset) for it in found.letters}
    fates = ended["fates"]
    assert sum(offsets.values()) == fates["settled"] == len(told) < EVENTS, "ended in the middle"
    assert fates["admitted"] == fates["settled"]
    assert all(offset < offsets[partition] for partition, offset in told)
    assert doubled == 0

    async with worker(tmp_path, group_kafka, topics) as process:
        await until_committed(group_kafka, topics, process.group_id, EVENTS)
    found, doubled = await count(group_kafka, topics)
    assert found.lost == []
    assert doubled == 0, "what was drained is not judged again"


async def test_what_does_not_fit_into_the_drain_is_given_back_and_not_lost(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics(partitions=1)
    await fill(group_kafka, topics, 100)
    stuck = {"kind": "null", "args": {"latency_s": 60}}
    delivery = {"commit_interval_s": 0.1, "drain_timeout_s": 1, "revoke_grace_s": 1}
    async with worker(tmp_path, group_kafka, topics, engine=stuck, delivery=delivery) as process:
        await until_written(group_kafka, topics.dead_letters, 10, process)
        process.send(SIGTERM)
        assert await process.ended(within_s=15) == ExitCode.DRAINED
        fates = (await process.told("ended"))["fates"]
    assert fates["abandoned"] == 90
    async with worker(tmp_path, group_kafka, topics) as process:
        await until_committed(group_kafka, topics, process.group_id, 100)
    found, _ = await count(group_kafka, topics)
    assert found.lost == []


async def test_a_second_signal_gives_back_at_once(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics(partitions=1)
    await fill(group_kafka, topics, 50)
    stuck = {"kind": "null", "args": {"latency_s": 60}}
    async with worker(tmp_path, group_kafka, topics, engine=stuck) as process:
        await until_written(group_kafka, topics.dead_letters, 5, process)
        process.send(SIGTERM)
        await process.told("draining")
        process.send(SIGTERM)
        # Well within the drain budget of 20 s, which nothing in flight would ever meet.
        assert await process.ended(within_s=15) == ExitCode.DRAINED
        assert (await process.told("drained"))["given_back"] == 45
    async with worker(tmp_path, group_kafka, topics) as process:
        await until_committed(group_kafka, topics, process.group_id, 50)
    found, _ = await count(group_kafka, topics)
    assert found.lost == []
