"""A group that has read nothing has committed where it begins, with a real broker too.

Who counts the lag by commits would otherwise count every offset that there ever was.
"""

import asyncio
from typing import Literal

import pytest
from tests.conftest import Broker, MakeTopics
from tests.kafka_worker import committed_of, event, produce, serving, settled, worker_settings
from tests.stream.logs import WAIT_S, InMemory, KafkaLog, Listening, Log

from afterguard.settings import Settings
from afterguard.stream.ports import Consumer, Partition
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker

Guarantee = Literal["at_least_once", "exactly_once"]
both = pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])


def settings_of(broker: Broker, topics: TopicSettings, guarantee: Guarantee) -> Settings:
    return worker_settings(
        broker, topics, delivery={"guarantee": guarantee, "commit_interval_s": 0.05}
    )


async def all_committed(broker: Broker, settings: Settings) -> dict[int, int]:
    async with asyncio.timeout(20):
        while len(found := await committed_of(broker, settings)) < 2:
            await asyncio.sleep(0.05)
    return found


@both
async def test_partitions_without_an_event_are_committed_at_their_beginning(
    group_kafka: Broker, make_topics: MakeTopics, guarantee: Guarantee
) -> None:
    topics = await make_topics(partitions=2)
    settings = settings_of(group_kafka, topics, guarantee)
    async with serving(settings):
        found = await all_committed(group_kafka, settings)
    assert set(found.values()) == {0}


@both
async def test_a_commit_that_is_there_is_not_moved_by_the_next_worker(
    group_kafka: Broker, make_topics: MakeTopics, guarantee: Guarantee
) -> None:
    topics = await make_topics(partitions=2)
    settings = settings_of(group_kafka, topics, guarantee)
    await produce(group_kafka, topics.events, [event(1), event(2), event(3)], partition=0)
    async with serving(settings) as app:
        await settled(app, 3)
        await all_committed(group_kafka, settings)
    before = await committed_of(group_kafka, settings)
    async with serving(settings) as app:
        await produce(group_kafka, topics.events, [event(4)], partition=1)
        await settled(app, 1)
    after = await committed_of(group_kafka, settings)
    assert (before[0], after[0], after[1]) == (3, 3, 1)


@pytest.fixture(params=["memory", "kafka"])
def log(request: pytest.FixtureRequest) -> Log:
    if request.param == "memory":
        return InMemory()
    return KafkaLog(request.getfixturevalue("group_kafka"))


async def begun(consumer: Consumer, count: int) -> dict[Partition, int]:
    async with asyncio.timeout(WAIT_S):
        while len(consumer.begun()) < count:
            await consumer.take(10, 0.2)
    return dict(consumer.begun())


async def test_a_consumer_tells_where_it_began_of_partitions_without_a_commit(log: Log) -> None:
    topic = await log.topic(partitions=2)
    one, other = Partition(topic, 0), Partition(topic, 1)
    first = log.consumer(topic, f"g.{topic}")
    await first.start(Listening())
    try:
        assert await begun(first, 2) == {one: 0, other: 0}
        assert await first.commit({one: 0})
    finally:
        await first.stop()
    second = log.consumer(topic, f"g.{topic}")
    await second.start(Listening())
    try:
        assert await begun(second, 1) == {other: 0}
    finally:
        await second.stop()
