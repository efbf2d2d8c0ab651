"""Sends that are counted when the broker has taken them, and not before."""

import asyncio
import re

import pytest
from tests.cli.producers import RefusingProducer, SlowProducer

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.contracts.errors import PublishFailed, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.memory import MemoryLog, MemoryProducer


@pytest.fixture
async def log() -> MemoryLog:
    return MemoryLog({"t": 1})


def record(number: int) -> OutputRecord:
    return OutputRecord("t", b"k", b"%d" % number)


async def test_a_flush_leaves_everything_acknowledged_in_order(log: MemoryLog) -> None:
    producer = MemoryProducer(log)
    await producer.start()
    sends = AcknowledgedSends(producer)
    for number in range(50):
        await sends.send(record(number))
    await sends.flush()
    assert sends.acknowledged == 50
    assert [it.value for it in log.records("t")] == [b"%d" % number for number in range(50)]
    await producer.stop()


async def test_no_more_than_allowed_is_in_flight(log: MemoryLog) -> None:
    producer = SlowProducer(log)
    await producer.start()
    sends = AcknowledgedSends(producer, max_in_flight=3)
    sending = asyncio.create_task(_all(sends, 5))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (len(producer.waiting), sends.acknowledged) == (3, 0)
    producer.acknowledge(2)
    await sending
    assert (len(producer.waiting), sends.acknowledged) == (3, 2)
    producer.acknowledge(3)
    await sends.flush()
    assert sends.acknowledged == 5


async def test_nothing_is_sent_after_a_refusal(log: MemoryLog) -> None:
    producer = RefusingProducer(log, accepts=2)
    await producer.start()
    sends = AcknowledgedSends(producer)
    with pytest.raises(PublishFailed, match=r"did not take a record: Refused$"):
        await _all(sends, 10)
    with pytest.raises(PublishFailed):
        await sends.flush()
    assert sends.acknowledged == len(log.records("t")) == 2


async def test_a_broker_that_stays_silent_ends_the_wait(log: MemoryLog) -> None:
    producer = SlowProducer(log)
    await producer.start()
    sends = AcknowledgedSends(producer, max_in_flight=2, patience_s=0.05)
    await _all(sends, 2)
    silent = re.escape("acknowledged nothing for 0.05 s; 2 records have no answer")
    with pytest.raises(StreamUnavailable, match=silent):
        await sends.send(record(3))
    with pytest.raises(StreamUnavailable, match=silent):
        await sends.flush()
    assert sends.acknowledged == 0


async def _all(sends: AcknowledgedSends, count: int) -> None:
    for number in range(count):
        await sends.send(record(number))
        await asyncio.sleep(0)
