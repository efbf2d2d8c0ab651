"""Faults of the broker under a whole worker, on librdkafka's mock cluster of three brokers."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from tests.faults.worker_process import doubled, fill
from tests.kafka_worker import committed_of, look, serving, settled, worker_settings
from tests.mock_cluster import (
    FETCH,
    GROUP_REFUSED,
    JOIN_GROUP,
    OUT_OF_ORDER,
    PRODUCE,
    QUICK_GROUP,
    TOO_LARGE,
    TOPIC_REFUSED,
    UNKNOWN_PRODUCER,
    MockCluster,
)

from afterguard.app import App, build
from afterguard.contracts.exit_codes import ExitCode
from afterguard.engine.null_engine import NullJudge
from afterguard.lifecycle import Stop, serve
from afterguard.settings import Settings
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("expected_errors")]

EVENTS = 200
ENDS_WITHIN_S = 40.0
# Longer than any outage here, so that each shows its own cost and not that of a rebalance.
LONG_SESSION = {"session_timeout_ms": 20_000, "heartbeat_interval_ms": 500}
# In flight at once: what a replaced producer may write twice.
IN_FLIGHT = 50


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as brokers:
        for name in TopicSettings().model_dump().values():
            brokers.topic(name, 4)
        yield brokers


def quick(cluster: MockCluster, **sections: Any) -> Settings:
    sections.setdefault("intake", {"max_events_in_flight": IN_FLIGHT})
    sections.setdefault("kafka", LONG_SESSION)
    return worker_settings(cluster.broker, TopicSettings(), **sections)


@asynccontextmanager
async def ending(settings: Settings) -> AsyncIterator[tuple[App, "asyncio.Task[ExitCode]"]]:
    """A worker that is expected to end by itself, within bounded time."""
    app, ready = build(settings, judge=NullJudge()), asyncio.Event()
    running = asyncio.create_task(serve(app, Stop(), ready=ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        yield app, running
        async with asyncio.timeout(ENDS_WITHIN_S):
            await running
    finally:
        running.cancel()
        waiting.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
    fates = app.assignments.fates
    assert fates.in_flight == 0
    assert fates.balanced


async def nothing_is_missing(cluster: MockCluster, settings: Settings, events: int) -> int:
    """Counts what stands in the topics; gives how many outputs stand there twice."""
    assert sum((await committed_of(cluster.broker, settings)).values()) == events
    found = await look(cluster.broker, settings.topics)
    assert len(found.events) == events
    assert found.lost == []
    return doubled(found)


async def done_by_another(cluster: MockCluster, settings: Settings) -> int:
    """Another worker does what is left; gives how many outputs stand there twice."""
    assert sum((await committed_of(cluster.broker, settings)).values()) < EVENTS
    async with serving(settings):
        async with asyncio.timeout(ENDS_WITHIN_S):
            while sum((await committed_of(cluster.broker, settings)).values()) < EVENTS:
                await asyncio.sleep(0.1)
    return await nothing_is_missing(cluster, settings, EVENTS)


async def test_leaders_and_coordinators_that_move_cost_nothing(cluster: MockCluster) -> None:
    settings = quick(cluster)
    await fill(cluster.broker, settings.topics, EVENTS)
    async with serving(settings) as app:
        await settled(app, EVENTS // 4)
        for broker in cluster.ids:
            for topic in (settings.topics.events, settings.topics.audit):
                for partition in range(4):
                    cluster.lead(topic, partition, broker)
            cluster.coordinate(settings.kafka.group_id, broker)
            await fill(cluster.broker, settings.topics, EVENTS)
        await settled(app, 4 * EVENTS)
    assert await nothing_is_missing(cluster, settings, 4 * EVENTS) == 0


async def test_one_broker_of_three_that_goes_and_comes_back_is_waited_for(
    cluster: MockCluster,
) -> None:
    settings = quick(cluster)
    await fill(cluster.broker, settings.topics, EVENTS)
    async with serving(settings) as app:
        await settled(app, EVENTS // 4)
        for broker in cluster.ids:
            cluster.down(broker)
            await asyncio.sleep(0.5)
            cluster.up(broker)
        await fill(cluster.broker, settings.topics, EVENTS)
        await settled(app, 2 * EVENTS)
    repeated = await nothing_is_missing(cluster, settings, 2 * EVENTS)
    # This cluster does not know a record again whose acknowledgement was cut off; a broker does.
    assert repeated <= len(cluster.ids) * IN_FLIGHT


async def test_all_brokers_gone_in_the_middle_are_waited_for(cluster: MockCluster) -> None:
    settings = quick(cluster)
    await fill(cluster.broker, settings.topics, EVENTS)
    async with serving(settings) as app:
        await settled(app, EVENTS // 4)
        cluster.down(*cluster.ids)
        await asyncio.sleep(3)
        assert app.assignments.fates.balanced
        cluster.up(*cluster.ids)
        await settled(app, EVENTS)
    assert await nothing_is_missing(cluster, settings, EVENTS) <= IN_FLIGHT


async def test_brokers_that_never_come_back_end_the_worker_with_its_work_unsettled(
    cluster: MockCluster,
) -> None:
    kafka = {**QUICK_GROUP, "away_timeout_s": 4, "request_timeout_ms": 2_000}
    settings = quick(cluster, kafka=kafka)
    await fill(cluster.broker, settings.topics, EVENTS)
    async with ending(settings) as (app, running):
        await settled(app, EVENTS // 4)
        cluster.down(*cluster.ids)
    assert running.result() is ExitCode.STREAM_LOST
    cluster.up(*cluster.ids)
    assert await done_by_another(cluster, settings) <= 2 * IN_FLIGHT


@pytest.mark.parametrize("code", [TOO_LARGE, TOPIC_REFUSED], ids=["too large", "not allowed"])
async def test_an_output_that_the_broker_refuses_ends_the_worker_and_is_not_lost(
    cluster: MockCluster, code: int
) -> None:
    settings = quick(cluster, kafka=QUICK_GROUP)
    await fill(cluster.broker, settings.topics, EVENTS)
    cluster.answer(PRODUCE, code, times=1)
    async with ending(settings) as (_, running):
        pass
    assert running.result() is ExitCode.STREAM_LOST
    cluster.relent(PRODUCE)
    assert await done_by_another(cluster, settings) <= IN_FLIGHT


@pytest.mark.parametrize(
    ("request_kind", "code"),
    [(FETCH, TOPIC_REFUSED), (JOIN_GROUP, GROUP_REFUSED)],
    ids=["the topic may not be read", "the group may not be joined"],
)
async def test_a_refused_permission_ends_the_worker_and_says_which(
    cluster: MockCluster, request_kind: int, code: int
) -> None:
    settings = quick(cluster)
    await fill(cluster.broker, settings.topics, 10)
    cluster.answer(request_kind, code, times=100)
    with structlog.testing.capture_logs() as logs:
        async with ending(settings) as (_, running):
            pass
    assert running.result() is ExitCode.STREAM_LOST
    (told,) = [it["detail"] for it in logs if it["event"] == "the worker ends"]
    assert "AuthorizationFailedError" in told


@pytest.mark.parametrize("code", [OUT_OF_ORDER, UNKNOWN_PRODUCER])
async def test_a_producer_whose_numbers_do_not_fit_is_replaced_and_loses_nothing(
    cluster: MockCluster, code: int
) -> None:
    settings = quick(cluster)
    await fill(cluster.broker, settings.topics, 2 * EVENTS)
    async with serving(settings) as app:
        await settled(app, EVENTS // 4)
        cluster.answer(PRODUCE, code, times=1)
        await settled(app, 2 * EVENTS)
        assert app.metrics.producer_replacements._value.get() == 1
    assert await nothing_is_missing(cluster, settings, 2 * EVENTS) <= 2 * IN_FLIGHT


async def test_a_producer_that_breaks_again_and_again_ends_the_worker(
    cluster: MockCluster,
) -> None:
    settings = quick(cluster, kafka=QUICK_GROUP)
    await fill(cluster.broker, settings.topics, EVENTS)
    cluster.answer(PRODUCE, OUT_OF_ORDER, times=100)
    async with ending(settings) as (_, running):
        pass
    assert running.result() is ExitCode.STREAM_LOST
    cluster.relent(PRODUCE)
    assert await done_by_another(cluster, settings) <= 2 * IN_FLIGHT
