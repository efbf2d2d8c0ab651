"""Where a partition is read from when its position is not there, or not there any more."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.kafka_worker import produce
from tests.mock_cluster import QUICK_GROUP, MockCluster
from tests.stream.logs import Listening, take

from afterguard.contracts.records import InputRecord
from afterguard.stream.kafka.consumer import KafkaConsumer
from afterguard.stream.ports import Partition
from afterguard.telemetry.metrics import Metrics

TOPIC = "t"
GROUP = "g"


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as brokers:
        brokers.topic(TOPIC, 1)
        yield brokers


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@asynccontextmanager
async def reading(
    cluster: MockCluster, metrics: Metrics, listening: Listening | None = None
) -> AsyncIterator[KafkaConsumer]:
    settings = cluster.broker.settings(group_id=GROUP, **QUICK_GROUP)
    consumer = KafkaConsumer(settings, TOPIC, metrics=metrics)
    await consumer.start(listening or Listening())
    try:
        yield consumer
    finally:
        await consumer.stop()


async def fill(cluster: MockCluster, count: int) -> None:
    # One by one: records are deleted batch by batch.
    for number in range(count):
        await produce(cluster.broker, TOPIC, [b"%d" % number], partition=0)


async def commit(cluster: MockCluster, offset: int) -> None:
    async with AIOKafkaConsumer(
        bootstrap_servers=cluster.broker.bootstrap_servers,
        group_id=GROUP,
        enable_auto_commit=False,
    ) as consumer:
        consumer.assign([TopicPartition(TOPIC, 0)])
        await consumer.commit({TopicPartition(TOPIC, 0): offset})


def offsets(records: list[InputRecord]) -> list[int]:
    return [it.coordinates.offset for it in records]


def skipped(metrics: Metrics) -> float:
    return float(metrics.records_skipped_by_retention.labels(TOPIC, 0)._value.get())


async def test_a_group_without_a_commit_begins_at_what_is_left_and_nothing_counts_as_skipped(
    cluster: MockCluster, metrics: Metrics
) -> None:
    await fill(cluster, 6)
    cluster.delete_before(TOPIC, 0, 2)
    async with reading(cluster, metrics) as consumer:
        assert offsets(await take(consumer, 4)) == [2, 3, 4, 5]
        assert consumer.begun() == {Partition(TOPIC, 0): 2}
    assert skipped(metrics) == 0


async def test_records_that_were_deleted_before_they_were_read_are_counted_and_told(
    cluster: MockCluster, metrics: Metrics
) -> None:
    await fill(cluster, 6)
    await commit(cluster, 1)
    cluster.delete_before(TOPIC, 0, 4)
    with structlog.testing.capture_logs() as logs:
        async with reading(cluster, metrics) as consumer:
            assert offsets(await take(consumer, 2)) == [4, 5]
    assert skipped(metrics) == 3
    (told,) = [it for it in logs if it["log_level"] == "warning" and "records" in it]
    assert (told["records"], told["first_gone"], told["reading_from"]) == (3, 1, 4)


async def test_a_topic_that_was_made_anew_is_read_from_its_beginning(
    cluster: MockCluster, metrics: Metrics
) -> None:
    await fill(cluster, 3)
    await commit(cluster, 1_000)
    async with reading(cluster, metrics) as consumer:
        assert offsets(await take(consumer, 3)) == [0, 1, 2]
    assert skipped(metrics) == 0


async def test_a_seek_that_comes_meanwhile_is_not_undone(
    cluster: MockCluster, metrics: Metrics
) -> None:
    await fill(cluster, 6)
    listening = Listening()
    async with reading(cluster, metrics, listening) as consumer:
        # As at an assignment under exactly-once: paused at once, its position decided by others.
        (partition,) = consumer._consumer.assignment()  # type: ignore[union-attr]
        consumer.pause()
        looking = asyncio.create_task(take(consumer, 2))
        consumer._started.seek(partition, 4)
        await asyncio.sleep(0.5)
        consumer.resume()
        assert offsets(await looking) == [4, 5]
