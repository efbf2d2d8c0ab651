"""What Kafka and its memory twin promise alike."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.stream.logs import (
    WAIT_S,
    InMemory,
    KafkaLog,
    Listening,
    Log,
    nothing_more,
    take,
    write,
)

from afterguard.contracts.errors import StreamUnavailable, TopicMissing
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS
from afterguard.stream.ports import Consumer, Partition


@pytest.fixture(
    params=[
        "memory",
        pytest.param("kafka", marks=pytest.mark.broker),
        pytest.param("kafka with pauses", marks=pytest.mark.broker),
    ]
)
def log(request: pytest.FixtureRequest) -> Log:
    if request.param == "memory":
        return InMemory()
    pause_ms = EMPTY_FETCH_PAUSE_MS if request.param == "kafka with pauses" else 0
    return KafkaLog(request.getfixturevalue("group_kafka"), empty_fetch_pause_ms=pause_ms)


@asynccontextmanager
async def member(
    log: Log, topic: str, group: str = "g", listening: Listening | None = None
) -> AsyncIterator[Consumer]:
    consumer = log.consumer(topic, f"{group}.{topic}")
    await consumer.start(listening or Listening())
    try:
        yield consumer
    finally:
        await consumer.stop()


def numbered(topic: str, count: int, partition: int = 0) -> list[OutputRecord]:
    return [
        OutputRecord(topic, None, str(number).encode(), (), partition) for number in range(count)
    ]


async def test_records_come_in_offset_order_within_their_partition(log: Log) -> None:
    topic = await log.topic(partitions=2)
    await write(log, [*numbered(topic, 300, 0), *numbered(topic, 300, 1)])
    async with member(log, topic) as consumer:
        taken = await take(consumer, 600)
    for number in (0, 1):
        mine = [it.coordinates.offset for it in taken if it.coordinates.partition == number]
        assert mine == list(range(300))


async def test_no_more_records_come_than_were_asked_for(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 50))
    async with member(log, topic) as consumer:
        assert len(await take(consumer, 7)) == 7
        assert (await take(consumer, 1))[0].coordinates.offset == 7


async def test_keys_values_and_headers_come_back_byte_for_byte(log: Log) -> None:
    topic = await log.topic(partitions=1)
    sent = [
        OutputRecord(topic, b"\xff\x00", b"\x00\xfe" * 100, (("a", b"\xff"), ("a", b""))),
        OutputRecord(topic, b"", b"", (("näme", None),)),
        OutputRecord(topic, b"gone", None),
        OutputRecord(topic, None, b"no key"),
    ]
    await write(log, sent)
    async with member(log, topic) as consumer:
        taken = await take(consumer, len(sent))
    assert [it[1:4] for it in taken] == [it[1:4] for it in sent]
    assert all(isinstance(it.headers, tuple) for it in taken)
    assert all(it.timestamp_ms > 0 for it in taken)


async def test_equal_keys_share_a_partition(log: Log) -> None:
    topic = await log.topic(partitions=4)
    await write(log, [OutputRecord(topic, f"k{n % 8}".encode(), b"v") for n in range(64)])
    where: dict[bytes | None, set[int]] = {}
    for record in await log.read(topic):
        where.setdefault(record.key, set()).add(record.coordinates.partition)
    assert all(len(partitions) == 1 for partitions in where.values())


async def test_nothing_comes_while_paused_and_all_of_it_afterwards(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 20))
    async with member(log, topic) as consumer:
        await take(consumer, 5)
        consumer.pause()
        assert await nothing_more(consumer)
        consumer.resume()
        assert [it.coordinates.offset for it in await take(consumer, 15)] == list(range(5, 20))


async def test_a_partition_paused_by_name_stays_so_when_all_are_resumed(log: Log) -> None:
    topic = await log.topic(partitions=2)
    await write(log, [*numbered(topic, 5, 0), *numbered(topic, 5, 1)])
    async with member(log, topic) as consumer:
        consumer.pause([Partition(topic, 0)])
        consumer.pause()
        consumer.resume()
        assert {it.coordinates.partition for it in await take(consumer, 5)} == {1}
        assert await nothing_more(consumer)
        consumer.resume([Partition(topic, 0)])
        assert {it.coordinates.partition for it in await take(consumer, 5)} == {0}


async def test_what_is_resumed_by_name_waits_while_all_are_paused(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 5))
    async with member(log, topic) as consumer:
        consumer.pause([Partition(topic, 0)])
        consumer.pause()
        consumer.resume([Partition(topic, 0)])
        assert await nothing_more(consumer)
        consumer.resume()
        assert len(await take(consumer, 5)) == 5


async def test_reading_goes_on_where_it_is_sent(log: Log) -> None:
    topic = await log.topic(partitions=1)
    where = Partition(topic, 0)
    await write(log, numbered(topic, 10))
    async with member(log, topic) as consumer:
        await take(consumer, 6)
        consumer.seek(where, 2)
        assert [it.coordinates.offset for it in await take(consumer, 8)] == list(range(2, 10))
        with pytest.raises(StreamUnavailable):
            consumer.seek(Partition(topic, 7), 0)


async def test_what_is_committed_can_be_asked(log: Log) -> None:
    topic = await log.topic(partitions=2)
    one, other = Partition(topic, 0), Partition(topic, 1)
    await write(log, numbered(topic, 5))
    async with member(log, topic) as consumer:
        await take(consumer, 5)
        assert await consumer.commit({one: 4})
        assert await consumer.committed([one, other]) == {one: 4, other: None}
        assert await consumer.beginnings([one, other]) == {one: 0, other: 0}


async def test_a_new_member_goes_on_at_the_commit(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 10))
    async with member(log, topic) as first:
        await take(first, 10)
        assert await first.commit({Partition(topic, 0): 4})
    async with member(log, topic) as second:
        assert (await take(second, 1))[0].coordinates.offset == 4


async def test_a_group_without_a_commit_begins_at_the_beginning(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 3))
    async with member(log, topic) as consumer:
        assert (await take(consumer, 1))[0].coordinates.offset == 0


async def test_partitions_are_revoked_before_they_are_dealt_out_anew(log: Log) -> None:
    topic = await log.topic(partitions=2)
    first, second = Listening(), Listening()
    async with member(log, topic, listening=first) as one:
        assert first.told == [("assigned", (0, 1))]
        async with member_beside(log, topic, one, second):
            await until(lambda: len(first.owned) == 1, one)
            assert first.told[1] == ("revoked", (0, 1))
            assert sorted(first.owned + second.owned) == [0, 1]
        await until(lambda: first.owned == (0, 1), one)


async def test_a_commit_counts_while_partitions_go(log: Log) -> None:
    topic = await log.topic(partitions=1)
    where = Partition(topic, 0)
    await write(log, numbered(topic, 5))
    first = Listening(commit_on_revoke={where: 3})
    async with member(log, topic, listening=first) as one:
        first.consumer = one
        await take(one, 5)
        async with member_beside(log, topic, one, Listening()):
            await until(lambda: first.counted is not None, one)
    assert first.counted is True
    assert await log.committed(f"g.{topic}", where) == 3


async def test_a_commit_for_a_partition_that_went_elsewhere_does_not_count(log: Log) -> None:
    topic = await log.topic(partitions=2)
    await write(log, [*numbered(topic, 5, 0), *numbered(topic, 5, 1)])
    first, second = Listening(), Listening()
    async with member(log, topic, listening=first) as one:
        await take(one, 10)
        async with member_beside(log, topic, one, second):
            await until(lambda: len(first.owned) == len(second.owned) == 1, one)
            lost = Partition(topic, second.owned[0])
            assert await one.commit({lost: 5}) is False
            assert await log.committed(f"g.{topic}", lost) is None


async def test_what_was_not_committed_is_read_again_by_the_next_owner(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 5))
    async with member(log, topic) as first:
        await take(first, 5)
    async with member(log, topic) as second:
        assert [it.coordinates.offset for it in await take(second, 5)] == list(range(5))


async def test_a_pause_ends_with_the_assignment(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 3))
    first = Listening()
    async with member(log, topic, listening=first) as one:
        one.pause()
        async with member_beside(log, topic, one, Listening()):
            await until(lambda: len(first.told) >= 3, one)
        taken = await until(lambda: first.owned == (0,), one)
        taken += await take(one, 3 - len(taken))
    assert [it.coordinates.offset for it in taken] == [0, 1, 2]


async def test_lag_is_what_lies_between_position_and_end(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 10))
    async with member(log, topic) as consumer:
        await take(consumer, 4)
        assert consumer.lag() == {Partition(topic, 0): 6}
        await take(consumer, 6)
        assert consumer.lag() == {Partition(topic, 0): 0}


async def test_lag_is_known_before_anything_is_taken(log: Log) -> None:
    topic = await log.topic(partitions=1)
    await write(log, numbered(topic, 10))
    async with member(log, topic) as first:
        await take(first, 4)
        assert await first.commit({Partition(topic, 0): 4})
    async with member(log, topic) as second, asyncio.timeout(20):
        while second.lag() != {Partition(topic, 0): 6}:
            await asyncio.sleep(0.05)


async def test_a_missing_topic_is_told_and_not_made(log: Log) -> None:
    consumer = log.consumer("log.nobody-made-this", "g.missing")
    with pytest.raises(TopicMissing, match=r"log\.nobody-made-this"):
        await consumer.start(Listening())
    await consumer.stop()


async def test_stopping_twice_is_no_fault_and_tells_the_listener_nothing(log: Log) -> None:
    topic = await log.topic(partitions=1)
    listening = Listening()
    consumer = log.consumer(topic, f"g.{topic}")
    await consumer.start(listening)
    await consumer.stop()
    await consumer.stop()
    assert listening.told == [("assigned", (0,))]


async def test_before_its_start_and_after_its_end_a_consumer_says_so(log: Log) -> None:
    consumer = log.consumer(await log.topic(partitions=1), "g")
    with pytest.raises(StreamUnavailable, match="not started"):
        await consumer.take(1, 0.01)
    with pytest.raises(StreamUnavailable, match="not started"):
        await consumer.commit({})
    consumer.pause()
    consumer.resume()


async def test_every_acknowledged_record_is_in_the_log_in_the_order_it_was_sent(log: Log) -> None:
    topic = await log.topic(partitions=1)
    producer = log.producer()
    await producer.start()
    futures = [await producer.send(record) for record in numbered(topic, 500)]
    await producer.flush()
    assert all(future.done() and future.exception() is None for future in futures)
    await producer.stop()
    assert [int(it.value or b"") for it in await log.read(topic)] == list(range(500))


async def test_a_record_that_is_too_large_is_refused_through_its_future(log: Log) -> None:
    topic = await log.topic(partitions=1)
    producer = log.producer()
    await producer.start()
    refused = await producer.send(OutputRecord(topic, b"k", b"x" * 2_000_000))
    taken = await producer.send(OutputRecord(topic, b"k", b"small"))
    await taken
    assert refused.exception() is not None
    await producer.stop()
    assert [it.value for it in await log.read(topic)] == [b"small"]


async def test_a_producer_stops_twice_and_loses_nothing_at_its_end(log: Log) -> None:
    topic = await log.topic(partitions=1)
    producer = log.producer()
    await producer.start()
    futures = [await producer.send(record) for record in numbered(topic, 50)]
    await producer.stop()
    await producer.stop()
    assert all(future.exception() is None for future in futures)
    assert len(await log.read(topic)) == 50


@asynccontextmanager
async def member_beside(
    log: Log, topic: str, other: Consumer, listening: Listening
) -> AsyncIterator[Consumer]:
    """A second member; the first must go on taking for a rebalance to end."""
    alive = asyncio.create_task(_take_for_ever(other))
    consumer = log.consumer(topic, f"g.{topic}")
    try:
        await consumer.start(listening)
    finally:
        alive.cancel()
        await asyncio.gather(alive, return_exceptions=True)
    try:
        yield consumer
    finally:
        await consumer.stop()


async def until(true: Callable[[], bool], consumer: Consumer) -> list[InputRecord]:
    taken: list[InputRecord] = []
    async with asyncio.timeout(WAIT_S):
        while not true():
            taken += await consumer.take(1, 0.05)
    return taken


async def _take_for_ever(consumer: Consumer) -> None:
    while True:
        await consumer.take(1, 0.05)
