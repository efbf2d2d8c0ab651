"""A client that does not get out of its trouble is replaced once; then the worker ends."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.kafka_worker import produce
from tests.mock_cluster import ILLEGAL_GENERATION, OFFSET_COMMIT, QUICK_GROUP, MockCluster
from tests.stream.logs import Listening, take

from afterguard.contracts.errors import StreamUnavailable
from afterguard.stream.kafka.consumer import KafkaConsumer
from afterguard.stream.ports import Partition
from afterguard.telemetry.metrics import Metrics

pytestmark = pytest.mark.usefixtures("expected_errors")

TOPIC = "t"
HERE = Partition(TOPIC, 0)
STALL_S = 1.5
WAIT_S = 20.0


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as brokers:
        brokers.topic(TOPIC, 1)
        yield brokers


@asynccontextmanager
async def reading(
    cluster: MockCluster, listening: Listening, **settings: object
) -> AsyncIterator[tuple[KafkaConsumer, Metrics]]:
    kafka = cluster.broker.settings(group_id="g", **QUICK_GROUP, **settings)
    metrics = Metrics()
    consumer = KafkaConsumer(kafka, TOPIC, metrics=metrics)
    await consumer.start(listening)
    try:
        yield consumer, metrics
    finally:
        await consumer.stop()


async def fill(cluster: MockCluster, count: int) -> None:
    await produce(cluster.broker, TOPIC, [b"x"] * count, partition=0)


async def read_nothing_any_more(consumer: KafkaConsumer) -> None:
    """The client keeps its place in the group and fetches no more (aiokafka issue 847)."""
    client: Any = consumer._consumer
    client._fetcher._fetch_task.cancel()
    await asyncio.sleep(0.1)


async def test_a_consumer_that_reads_nothing_is_rebuilt_and_reads_on(
    cluster: MockCluster,
) -> None:
    listening = Listening(commit_on_revoke={HERE: 3})
    async with reading(cluster, listening, stall_timeout_s=STALL_S) as (consumer, metrics):
        listening.consumer = consumer
        await fill(cluster, 3)
        assert len(await take(consumer, 3)) == 3
        await read_nothing_any_more(consumer)
        await fill(cluster, 2)
        assert [it.coordinates.offset for it in await take(consumer, 2)] == [3, 4]
        assert metrics.consumer_rebuilds.labels("stalled")._value.get() == 1
    assert listening.told == [("assigned", (0,)), ("revoked", (0,)), ("assigned", (0,))]
    assert listening.counted


async def test_a_consumer_that_is_rebuilt_in_vain_ends_the_worker(cluster: MockCluster) -> None:
    async with reading(cluster, Listening(), stall_timeout_s=STALL_S) as (consumer, _):
        await fill(cluster, 1)
        await take(consumer, 1)
        await read_nothing_any_more(consumer)
        await fill(cluster, 1)
        await take(consumer, 2)
        await read_nothing_any_more(consumer)
        await fill(cluster, 1)
        with pytest.raises(StreamUnavailable, match="rebuilt already, in vain"):
            await take(consumer, 1)


async def test_a_consumer_that_is_held_back_or_has_read_all_is_left_alone(
    cluster: MockCluster,
) -> None:
    listening = Listening()
    async with reading(cluster, listening, stall_timeout_s=0.5) as (consumer, _):
        await fill(cluster, 3)
        await take(consumer, 3)
        for _ in range(15):
            assert not await consumer.take(1, 0.1)
        consumer.pause()
        await fill(cluster, 1)
        for _ in range(15):
            assert not await consumer.take(1, 0.1)
    assert listening.told == [("assigned", (0,))]


async def test_a_member_whose_every_commit_is_refused_is_rebuilt(cluster: MockCluster) -> None:
    listening = Listening()
    async with reading(cluster, listening) as (consumer, metrics):
        await fill(cluster, 1)
        await take(consumer, 1)
        outside: Any = consumer._outcast
        cluster.answer(OFFSET_COMMIT, ILLEGAL_GENERATION, times=6)
        client: Any = consumer._consumer
        client._coordinator.reset_generation = lambda: None  # it does not notice
        while not outside.certain:
            assert await consumer.commit({HERE: 1}) is False
            await asyncio.sleep(0.5)
        async with asyncio.timeout(WAIT_S):
            while metrics.consumer_rebuilds.labels("refused")._value.get() < 1:
                await consumer.take(1, 0.1)
        cluster.relent(OFFSET_COMMIT)
        assert await consumer.commit({HERE: 1}) is True
    assert listening.owned == (0,)


async def test_no_broker_for_too_long_is_told_with_the_setting(cluster: MockCluster) -> None:
    async with reading(cluster, Listening(), away_timeout_s=3, request_timeout_ms=1_000) as (
        consumer,
        _,
    ):
        cluster.down(*cluster.ids)
        with pytest.raises(StreamUnavailable, match=r"kafka\.away_timeout_s=3"):
            await take(consumer, 1)
