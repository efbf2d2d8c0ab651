"""A producer that cannot go on is replaced; what was not acknowledged is sent again, in order."""

import asyncio
from collections.abc import Iterator

import pytest
from aiokafka.errors import MessageSizeTooLargeError, OutOfOrderSequenceNumber
from tests.mock_cluster import OUT_OF_ORDER, PRODUCE, TOO_LARGE, MockCluster
from tests.onlooker import read_topic

from afterguard.contracts.records import OutputRecord
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.telemetry.metrics import Metrics

pytestmark = pytest.mark.usefixtures("expected_errors")

TOPIC = "t"
RECORDS = 120
WAIT_S = 30.0


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as brokers:
        brokers.topic(TOPIC, 1)
        yield brokers


def numbered(number: int) -> OutputRecord:
    return OutputRecord(TOPIC, b"k", b"%d" % number)


async def written(cluster: MockCluster) -> list[int]:
    found = await read_topic(cluster.broker.bootstrap_servers, TOPIC)
    return [int(it.value or b"") for it in found]


async def test_everything_is_written_and_what_is_repeated_is_repeated_in_order(
    cluster: MockCluster,
) -> None:
    metrics = Metrics()
    producer = KafkaProducer(cluster.broker.settings(linger_ms=0), metrics=metrics)
    await producer.start()
    waiting = []
    async with asyncio.timeout(WAIT_S):
        for number in range(RECORDS):
            if number % 40 == 20:
                cluster.answer(PRODUCE, OUT_OF_ORDER, times=1)
            waiting.append(await producer.send(numbered(number)))
            await asyncio.sleep(0.002)
        await producer.flush()
    assert all(it.done() and it.exception() is None for it in waiting)
    assert 1 <= metrics.producer_replacements._value.get() <= 3
    await producer.stop()
    found = await written(cluster)
    # This cluster takes the batch after a refused one, which a broker does not; so the last word
    # on each record counts.
    last_words = list(dict.fromkeys(reversed(found)))[::-1]
    assert last_words == list(range(RECORDS))


async def test_what_the_broker_refuses_is_told_and_not_sent_again(cluster: MockCluster) -> None:
    metrics = Metrics()
    producer = KafkaProducer(cluster.broker.settings(), metrics=metrics)
    await producer.start()
    cluster.answer(PRODUCE, TOO_LARGE, times=1)
    refused = await producer.send(numbered(1))
    with pytest.raises(MessageSizeTooLargeError):
        await refused
    assert metrics.producer_replacements._value.get() == 0
    await producer.stop()
    assert await written(cluster) == []


async def test_when_replacing_does_not_help_everything_that_waits_is_told_and_nothing_hangs(
    cluster: MockCluster,
) -> None:
    producer = KafkaProducer(cluster.broker.settings(linger_ms=0))
    await producer.start()
    cluster.answer(PRODUCE, OUT_OF_ORDER, times=100)
    async with asyncio.timeout(WAIT_S):
        waiting = [await producer.send(numbered(number)) for number in range(20)]
        for one in waiting:
            with pytest.raises(OutOfOrderSequenceNumber):
                await one
        later = await producer.send(numbered(21))
        with pytest.raises(OutOfOrderSequenceNumber):
            await later
    await producer.stop()
