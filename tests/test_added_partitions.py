"""A topic that grows under a running worker, with a real broker."""

import asyncio
from typing import Literal
from uuid import uuid4

import pytest
from tests.conftest import Broker
from tests.kafka_worker import (
    committed_of,
    event,
    look,
    produce,
    serving,
    settled,
    worker_settings,
)

from afterguard.stream.kafka.admin import grow_topic
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker


@pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
async def test_partitions_that_are_added_are_read_from_their_beginning_and_nothing_is_lost(
    group_kafka: Broker, topics: TopicSettings, guarantee: Literal["at_least_once", "exactly_once"]
) -> None:
    settings = worker_settings(
        group_kafka,
        topics,
        kafka={"group_id": f"g-{uuid4().hex[:8]}", "metadata_max_age_ms": 500},
        delivery={"guarantee": guarantee, "commit_interval_s": 0.05, "revoke_grace_s": 5},
    )
    async with serving(settings) as app:
        await produce(group_kafka, topics.events, [event(1)], partition=0)
        await settled(app, 1)
        await grow_topic(settings.kafka, topics.events, 3)
        # Before the worker knows of them: what is written now must be read, too.
        for partition in (0, 1, 2):
            await produce(
                group_kafka,
                topics.events,
                [event(10 * partition + number) for number in range(2, 5)],
                partition=partition,
            )
        async with asyncio.timeout(40):
            while len((await look(group_kafka, topics)).lost) > 0:
                await asyncio.sleep(0.1)
    assert (await look(group_kafka, topics)).lost == []
    assert await committed_of(group_kafka, settings) == {0: 4, 1: 3, 2: 3}
