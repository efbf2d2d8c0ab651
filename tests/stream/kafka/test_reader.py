"""The reader finds every committed record of a topic, and nothing else."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from tests.conftest import Broker, MakeTopics

from afterguard.contracts.errors import StreamUnavailable, TopicMissing
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.kafka.reader import committed_offsets, read_topic, scan_topic
from afterguard.stream.kafka.transactional import KafkaTransactionalProducers
from afterguard.stream.ports import Partition
from afterguard.stream.settings import KafkaSettings, TopicSettings

pytestmark = pytest.mark.broker


async def _write(kafka: Broker, topic: str, count: int, partition: int = 0) -> None:
    producer = KafkaProducer(kafka.settings())
    await producer.start()
    sent = []
    try:
        for number in range(count):
            headers = (("n", f"{number}".encode()), ("none", None))
            record = OutputRecord(topic, b"k", f"{number}".encode(), headers, partition)
            sent.append(await producer.send(record))
        await asyncio.gather(*sent)
    finally:
        await producer.stop()


def _values(records: list[InputRecord], partition: int) -> list[bytes | None]:
    return [it.value for it in records if it.coordinates.partition == partition]


async def test_every_record_of_every_partition_is_read_in_order(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    topic = (await make_topics(3)).events
    await _write(kafka, topic, 500, partition=0)
    await _write(kafka, topic, 7, partition=2)
    records = await read_topic(kafka.settings(), topic)
    assert _values(records, 0) == [f"{number}".encode() for number in range(500)]
    assert _values(records, 1) == []
    assert _values(records, 2) == [f"{number}".encode() for number in range(7)]


async def test_a_record_comes_with_all_that_the_log_knows(
    kafka: Broker, topics: TopicSettings
) -> None:
    await _write(kafka, topics.audit, 2)
    record = (await read_topic(kafka.settings(), topics.audit))[1]
    assert record.coordinates == (topics.audit, 0, 1)
    assert (record.key, record.value) == (b"k", b"1")
    assert record.headers == (("n", b"1"), ("none", None))
    assert record.timestamp_ms > 0


async def test_an_empty_topic_is_read_at_once(kafka: Broker, topics: TopicSettings) -> None:
    assert await read_topic(kafka.settings(), topics.audit) == []


async def test_progress_ends_at_the_whole(kafka: Broker, make_topics: MakeTopics) -> None:
    topic = (await make_topics(2)).events
    await _write(kafka, topic, 30, partition=0)
    await _write(kafka, topic, 12, partition=1)
    told: list[tuple[int, int]] = []
    await scan_topic(
        kafka.settings(), topic, lambda _: None, lambda read, whole: told.append((read, whole))
    )
    assert told[-1] == (42, 42)
    assert told == sorted(told)


async def test_what_a_transaction_took_back_is_not_read(
    kafka: Broker, topics: TopicSettings
) -> None:
    async with AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers, transactional_id=f"t.{topics.events}"
    ) as producer:
        for value, kept in ((b"kept", True), (b"taken back", False), (b"kept too", True)):
            await producer.begin_transaction()
            await producer.send_and_wait(topics.events, value, partition=0)
            await (producer.commit_transaction() if kept else producer.abort_transaction())
    # The last offset of the topic is a marker of the transaction and holds no record.
    records = await read_topic(kafka.settings(), topics.events)
    assert _values(records, 0) == [b"kept", b"kept too"]


async def test_a_missing_topic_is_named_and_not_made(kafka: Broker) -> None:
    for _ in range(2):
        with pytest.raises(TopicMissing, match=r"no\.such\.topic"):
            await read_topic(kafka.settings(), "no.such.topic")


async def test_a_broker_that_is_not_there_is_told(expected_errors: list[str]) -> None:
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:9", start_timeout_s=0.2)
    with pytest.raises(StreamUnavailable, match=r"127\.0\.0\.1:9"):
        await read_topic(nowhere, "any")


async def test_the_offsets_of_a_group_are_those_it_committed(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    topic = (await make_topics(2)).events
    settings = kafka.settings()
    await _write(kafka, topic, 10)
    async with AIOKafkaConsumer(
        bootstrap_servers=kafka.bootstrap_servers,
        group_id=settings.group_id,
        enable_auto_commit=False,
    ) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.commit({TopicPartition(topic, 0): 6})
    assert await committed_offsets(settings, topic) == {
        Partition(topic, 0): 6,
        Partition(topic, 1): 0,
    }


async def test_it_waits_for_transactions_that_are_open_when_told_to(
    kafka: Broker, topics: TopicSettings
) -> None:
    """What was committed behind an open transaction is hidden until that has its end."""
    topic, settings = topics.dead_letters, kafka.settings()
    producers = KafkaTransactionalProducers(settings, timeout_s=10)
    slow, quick = producers(Partition(topic, 0)), producers(Partition(topic, 1))
    try:
        for producer in (slow, quick):
            await producer.start()
            await producer.begin()
            await (await producer.send(OutputRecord(topic, b"k", b"1", (), 0)))
        await quick.commit()
        found: list[InputRecord] = []
        scan = asyncio.create_task(scan_topic(settings, topic, found.append, unfinished=True))
        await scan_topic(settings, topic, lambda _: None)
        assert not scan.done()
        await slow.commit()
        await scan
        assert [it.coordinates.offset for it in found] == [0, 1]
    finally:
        await slow.stop()
        await quick.stop()


async def test_a_stretch_is_read_and_nothing_beside_it(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    topic = (await make_topics(3)).events
    for number in range(3):
        await _write(kafka, topic, 20, partition=number)
    found: list[InputRecord] = []
    between = {Partition(topic, 0): (5, 8), Partition(topic, 2): (18, 99)}
    await scan_topic(kafka.settings(), topic, found.append, between=between)
    places = sorted(it.coordinates[1:] for it in found)
    assert places == [(0, 5), (0, 6), (0, 7), (2, 18), (2, 19)]
