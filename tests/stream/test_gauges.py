"""Gauges: what they show is what the ledgers, the budget and the log say."""

import asyncio
from collections.abc import Mapping
from typing import Any

from prometheus_client import generate_latest
from tests.stream.faulty import FaultyCommits

from afterguard.delivery.budget import TokenBudget
from afterguard.stream.assignments import Assignments
from afterguard.stream.gauges import Gauges
from afterguard.stream.ports import Partition
from afterguard.telemetry.metrics import Metrics

ONE, OTHER = Partition("chat.events", 0), Partition("chat.events", 1)


class Lagging(FaultyCommits):
    """A log that is ahead of us."""

    def __init__(self, lag: Mapping[Partition, int]) -> None:
        super().__init__(True)
        self._lag = lag

    def lag(self) -> Mapping[Partition, int]:
        return self._lag


class Intake:
    paused = False


class Scene:
    def __init__(self, lag: Mapping[Partition, int] | None = None) -> None:
        self.metrics, self.budget, self.intake = Metrics(), TokenBudget(100, 10, 0.5), Intake()
        self.assignments = Assignments(self.budget.release)
        self.now = 0.0
        room: Any = self.intake
        self.gauges = Gauges(
            self.metrics,
            Lagging(lag or {}),
            self.assignments,
            self.budget,
            room,
            interval_s=0.001,
            clock=lambda: self.now,
        )

    def admit(self, partition: Partition, offset: int) -> Any:
        assignment = self.assignments.get(partition)
        assert assignment is not None
        self.budget.take(7)
        return assignment.ledger.admit(offset, 7, self.now)

    def shown(self, name: str, partition: Partition | None = None) -> float | None:
        labels = (
            {} if partition is None else {"topic": partition.topic, "partition": str(partition[1])}
        )
        return self.metrics.registry.get_sample_value(f"afterguard_{name}", labels)


def test_the_balance_of_fates_is_shown() -> None:
    scene = Scene()
    scene.assignments.open([ONE, OTHER])
    scene.admit(ONE, 0).settle()
    scene.admit(ONE, 1)
    scene.admit(OTHER, 0)
    scene.assignments.close([OTHER])
    scene.gauges.look()
    admitted, settled, abandoned, in_flight = (
        scene.shown(name)
        for name in ("ledger_admitted", "ledger_settled", "ledger_abandoned", "in_flight_events")
    )
    assert (admitted, settled, abandoned, in_flight) == (3, 1, 1, 1)
    assert scene.shown("in_flight_tokens") == 7
    assert scene.shown("token_budget") == 100


def test_the_age_of_the_oldest_unsettled_event_is_shown_for_each_partition() -> None:
    scene = Scene()
    scene.assignments.open([ONE, OTHER])
    scene.admit(ONE, 0)
    scene.now = 12.0
    scene.gauges.look()
    assert scene.shown("oldest_unsettled_seconds", ONE) == 12
    assert scene.shown("oldest_unsettled_seconds", OTHER) == 0


def test_lag_and_commits_are_shown_where_they_are_known() -> None:
    scene = Scene(lag={ONE: 40})
    scene.assignments.open([ONE, OTHER])
    scene.assignments.mark_committed({OTHER: 9})
    scene.gauges.look()
    assert scene.shown("lag_records", ONE) == 40
    assert scene.shown("lag_records", OTHER) is None
    assert scene.shown("committed_offset", OTHER) == 9
    assert scene.shown("committed_offset", ONE) is None


def test_a_partition_that_went_is_shown_no_longer() -> None:
    scene = Scene(lag={ONE: 1, OTHER: 1})
    scene.assignments.open([ONE, OTHER])
    scene.gauges.look()
    scene.assignments.close([ONE])
    scene.gauges.look()
    assert scene.shown("lag_records", ONE) is None
    assert scene.shown("lag_records", OTHER) == 1
    assert b'partition="0"' not in generate_latest(scene.metrics.registry)


def test_all_partitions_are_paused_or_none() -> None:
    scene = Scene()
    scene.assignments.open([ONE, OTHER])
    scene.gauges.look()
    assert scene.shown("paused_partitions") == 0
    scene.intake.paused = True
    scene.gauges.look()
    assert scene.shown("paused_partitions") == 2


async def test_they_are_looked_at_until_cancelled() -> None:
    scene = Scene()
    running = asyncio.create_task(scene.gauges.run())
    scene.assignments.open([ONE])
    scene.admit(ONE, 0)
    while scene.shown("in_flight_events") != 1:
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
