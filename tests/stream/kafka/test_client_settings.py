"""The clients are built with every setting that matters; aiokafka's own defaults are not ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import ValidationError
from tests.conftest import Broker
from tests.stream.logs import Listening, take

from afterguard.contracts.errors import StreamError, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.embedded.process import free_port
from afterguard.stream.kafka.consumer import KafkaConsumer
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.kafka.transactional import KafkaTransactionalProducers
from afterguard.stream.ports import Partition
from afterguard.stream.settings import KafkaSettings, TopicSettings, rebalance_timeout_ms

broker = pytest.mark.broker


@asynccontextmanager
async def consuming(settings: KafkaSettings, topic: str) -> AsyncIterator[Any]:
    consumer = KafkaConsumer(settings, topic)
    await consumer.start(Listening())
    try:
        yield consumer._consumer
    finally:
        await consumer.stop()


@broker
async def test_the_consumer_is_built_as_the_promises_need_it(
    kafka: Broker, topics: TopicSettings
) -> None:
    settings = kafka.settings(
        session_timeout_ms=7_000,
        heartbeat_interval_ms=400,
        rebalance_timeout_ms=22_000,
        max_poll_interval_ms=111_000,
        request_timeout_ms=12_000,
        fetch_max_bytes=3_000_000,
        max_partition_fetch_bytes=1_500_000,
        group_instance_id="worker-1",
    )
    async with consuming(settings, topics.events) as client:
        assert client._enable_auto_commit is False
        assert client._auto_offset_reset == "none"
        assert client._check_crcs is True
        assert client._isolation_level == "read_committed"
        assert client._session_timeout_ms == 7_000
        assert client._heartbeat_interval_ms == 400
        assert client._rebalance_timeout_ms == 22_000
        assert client._max_poll_interval_ms == 111_000
        assert client._request_timeout_ms == 12_000
        assert client._fetch_max_bytes == 3_000_000
        assert client._max_partition_fetch_bytes == 1_500_000
        assert client._group_id == settings.group_id
        # One alone: with each further one aiokafka joins the group once more.
        assert [it.name for it in client._partition_assignment_strategy] == ["roundrobin"]
        assert client._group_instance_id == "worker-1"
        coordinator = client._coordinator
        assert coordinator._group_instance_id == "worker-1"
        assert coordinator._enable_auto_commit is False
        assert coordinator._rebalance_timeout_ms == 22_000
        assert coordinator._session_timeout_ms == 7_000
        assert coordinator._max_poll_interval == 111.0


@broker
async def test_the_rebalance_budget_follows_the_grace_unless_it_is_set(
    kafka: Broker, topics: TopicSettings
) -> None:
    settings = kafka.settings(rebalance_timeout_ms=None)
    consumer = KafkaConsumer(settings, topics.events, revoke_grace_s=12)
    await consumer.start(Listening())
    client: Any = consumer._consumer
    assert client._coordinator._rebalance_timeout_ms == 42_000
    await consumer.stop()
    assert rebalance_timeout_ms(kafka.settings(rebalance_timeout_ms=20_000), 12) == 20_000


@broker
@pytest.mark.parametrize(
    ("name", "known_as"),
    [("round_robin", "roundrobin"), ("range", "range"), ("sticky", "sticky")],
)
async def test_the_assignor_is_the_one_that_is_set_and_that_one_alone(
    kafka: Broker, topics: TopicSettings, name: str, known_as: str
) -> None:
    async with consuming(kafka.settings(assignor=name), topics.events) as client:
        assert [it.name for it in client._coordinator._assignors] == [known_as]


@broker
async def test_the_producer_is_idempotent_and_waits_for_all_replicas(kafka: Broker) -> None:
    producer = KafkaProducer(kafka.settings(linger_ms=3, request_timeout_ms=12_000))
    await producer.start()
    client: Any = producer._producer
    try:
        assert client._sender._acks == -1
        assert client._txn_manager is not None
        assert client._txn_manager.transactional_id is None
        assert client._message_accumulator._linger_time == pytest.approx(0.003)
        assert client._request_timeout_ms == 12_000
        # Larger than any output (`delivery.max_record_bytes`), smaller than Kafka's own limit.
        assert client._max_request_size == 1_048_576
    finally:
        await producer.stop()


@broker
async def test_the_transactional_producer_is_of_its_partition_and_waits_for_all_replicas(
    kafka: Broker, topics: TopicSettings
) -> None:
    settings = kafka.settings(request_timeout_ms=12_000)
    partition = Partition(topics.events, 0)
    producer = KafkaTransactionalProducers(settings, timeout_s=45)(partition)
    await producer.start()
    client: Any = producer._producer
    try:
        assert client._sender._acks == -1
        manager = client._txn_manager
        assert manager.transactional_id == f"{settings.group_id}.{topics.events}.0"
        assert manager.transaction_timeout_ms == 45_000
        assert client._request_timeout_ms == 12_000
        assert client._max_request_size == 1_048_576
    finally:
        await producer.stop()


@broker
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_compression_that_others_use_is_read(
    kafka: Broker, topics: TopicSettings, codec: str
) -> None:
    producer = KafkaProducer(kafka.settings(compression=codec))
    await producer.start()
    await (await producer.send(OutputRecord(topics.events, b"k", b"x" * 5_000)))
    await producer.stop()
    consumer = KafkaConsumer(kafka.settings(), topics.events)
    await consumer.start(Listening())
    try:
        taken = await take(consumer, 1)
        assert taken[0].value == b"x" * 5_000
    finally:
        await consumer.stop()


async def test_a_broker_that_is_not_there_is_told_with_its_setting(
    expected_errors: list[str],
) -> None:
    settings = KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{free_port()}", start_timeout_s=0.2, request_timeout_ms=1_000
    )
    consumer, producer = KafkaConsumer(settings, "t"), KafkaProducer(settings)
    for starting in (consumer.start(Listening()), producer.start()):
        with pytest.raises(StreamUnavailable, match=r"kafka\.bootstrap_servers=127\.0\.0\.1"):
            await starting
    await consumer.stop()
    await producer.stop()


@broker
async def test_a_broker_that_refuses_is_not_taken_for_one_that_is_away(
    kafka: Broker, topics: TopicSettings, expected_errors: list[str]
) -> None:
    # Kafka's own default for the shortest session is 6 s.
    settings = kafka.settings(session_timeout_ms=1_000, heartbeat_interval_ms=300)
    consumer = KafkaConsumer(settings, topics.events)
    with pytest.raises(StreamError, match=r"refuses this client: InvalidSessionTimeout"):
        await consumer.start(Listening())
    await consumer.stop()


@pytest.mark.parametrize("codec", ["brotli", "", "GZIP"])
def test_a_compression_nobody_knows_is_refused_by_the_settings(codec: str) -> None:
    with pytest.raises(ValidationError):
        KafkaSettings.model_validate({"compression": codec})


def test_none_is_a_way_to_say_no_compression() -> None:
    assert KafkaSettings.model_validate({"compression": "none"}).compression is None
