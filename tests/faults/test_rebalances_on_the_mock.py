"""Workers that join and leave, on a cluster that elects leaders: nothing lost, repeats bounded."""

import asyncio
from collections.abc import Iterator

import pytest
from tests.faults.worker_process import doubled, fill
from tests.kafka_worker import committed_of, look, serving, worker_settings
from tests.mock_cluster import QUICK_GROUP, MockCluster

from afterguard.app import App
from afterguard.engine.null_engine import NullJudge
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("expected_errors")]

PARTITIONS = 4
EVENTS = 300
IN_FLIGHT = 20
# Settled in the 50 ms before a rebalance: ten at a time, each of 50 ms, twice.
UNCOMMITTED = 20
JOINS = 3
WAIT_S = 60.0


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as brokers:
        for name in TopicSettings().model_dump().values():
            brokers.topic(name, PARTITIONS)
        yield brokers


async def share(*apps: App) -> None:
    """Wait until each of these workers owns something and together they own everything."""
    async with asyncio.timeout(WAIT_S):
        while True:
            owned = [len(app.assignments) for app in apps]
            if all(owned) and sum(owned) == PARTITIONS:
                return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("assignor", "grace_s"),
    [("round_robin", 5.0), ("sticky", 0.0)],
    ids=["what is in flight is finished", "what is in flight is given back"],
)
async def test_workers_that_join_and_leave_lose_nothing_and_repeat_what_was_in_flight_at_most(
    cluster: MockCluster, assignor: str, grace_s: float
) -> None:
    settings = worker_settings(
        cluster.broker,
        TopicSettings(),
        kafka={"group_id": "g", "assignor": assignor, **QUICK_GROUP},
        intake={"max_events_in_flight": IN_FLIGHT, "max_concurrent_events": 10},
        delivery={"commit_interval_s": 0.05, "drain_timeout_s": 10, "revoke_grace_s": grace_s},
    )
    rebalances, workers = 0, []
    async with serving(settings, NullJudge(latency_s=0.05)) as stays:
        await share(stays)
        for _ in range(JOINS):
            await fill(cluster.broker, settings.topics, EVENTS // JOINS)
            async with serving(settings, NullJudge(latency_s=0.05)) as joins:
                await share(stays, joins)
                rebalances += 1
            rebalances += 1
            workers.append(joins)
        await share(stays)
        workers.append(stays)
        async with asyncio.timeout(WAIT_S):
            while sum((await committed_of(cluster.broker, settings)).values()) < EVENTS:
                await asyncio.sleep(0.1)
    for app in workers:
        assert app.assignments.fates.balanced
        held = app.budget.statistics()
        assert (held.tokens, held.events) == (0, 0)
    found = await look(cluster.broker, settings.topics)
    assert len(found.events) == EVENTS
    assert found.lost == []
    # At each rebalance both members may have had so much in flight or not committed yet: this
    # cluster refuses commits while members join, which a broker does not.
    assert doubled(found) <= 2 * rebalances * (IN_FLIGHT + UNCOMMITTED)
