"""Gauges: what they show is what the ledgers, the budget and the log say."""

import asyncio
from collections.abc import Mapping
from typing import Any

from prometheus_client import generate_latest
from tests.stream.faulty import FaultyCommits

from afterguard.contracts.words import Lane
from afterguard.delivery.budget import TokenBudget
from afterguard.delivery.ledger import Stage
from afterguard.stream.assignments import Assignments
from afterguard.stream.gauges import Gauges
from afterguard.stream.ports import Partition
from afterguard.telemetry.metrics import Metrics
from afterguard.telemetry.partition_metrics import LANES

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
        self.assignments = Assignments(self.budget.release, now=lambda: self.wall)
        self.now, self.wall = 0.0, 1_000.0
        room: Any = self.intake
        self.gauges = Gauges(
            self.metrics,
            Lagging(lag or {}),
            self.assignments,
            self.budget,
            room,
            interval_s=0.001,
            clock=lambda: self.now,
            now=lambda: self.wall,
        )

    def admit(self, partition: Partition, offset: int) -> Any:
        assignment = self.assignments.get(partition)
        assert assignment is not None
        self.budget.take(7)
        return assignment.ledger.admit(offset, 7, self.now)

    def waits(self, partition: Partition, offset: int, *, at: float, lane: Lane) -> Any:
        """An event whose record has this time, seconds since the epoch."""
        entry, assignment = self.admit(partition, offset), self.assignments.get(partition)
        assert assignment is not None
        assignment.take(int(at * 1000), lane, entry)
        return entry

    def ages(self, partition: Partition) -> dict[str, float | None]:
        """The age of the oldest event without a verdict, by lane."""
        self.gauges.look()
        labels = {"topic": partition.topic, "partition": str(partition[1])}
        read = self.metrics.registry.get_sample_value
        name = "afterguard_oldest_unjudged_seconds"
        return {lane: read(name, {**labels, "lane": lane}) for lane in LANES}

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


def test_the_age_of_the_oldest_event_without_a_verdict_is_that_of_its_record() -> None:
    scene = Scene()
    scene.assignments.open([ONE, OTHER])
    late = scene.waits(ONE, 0, at=990, lane=Lane.LIVE)
    scene.waits(ONE, 1, at=970, lane=Lane.BACKFILL)
    old = scene.waits(ONE, 2, at=980, lane=Lane.LIVE)
    assert scene.ages(ONE) == {"live": 20, "standard": 0, "backfill": 30, "unread": 0}
    assert scene.ages(OTHER) == {"live": 0, "standard": 0, "backfill": 0, "unread": 0}
    old.advance(Stage.JUDGED)
    assert scene.ages(ONE)["live"] == 10
    late.advance(Stage.JUDGED)
    assert scene.ages(ONE)["live"] == 0


def test_what_is_not_taken_in_yet_is_as_old_as_the_record_before_it() -> None:
    scene = Scene(lag={ONE: 3, OTHER: 0})
    scene.assignments.open([ONE, OTHER])
    for partition in (ONE, OTHER):
        scene.waits(partition, 0, at=960, lane=Lane.LIVE).settle()
    assert scene.ages(ONE)["unread"] == 40
    assert scene.ages(OTHER)["unread"] == 0


def test_a_partition_of_which_nothing_was_taken_is_as_old_as_its_assignment() -> None:
    scene = Scene(lag={ONE: 3})
    scene.assignments.open([ONE])
    scene.wall += 25
    assert scene.ages(ONE)["unread"] == 25


def test_an_event_from_the_future_is_not_younger_than_now() -> None:
    scene = Scene()
    scene.assignments.open([ONE])
    scene.waits(ONE, 0, at=scene.wall + 60, lane=Lane.LIVE)
    assert scene.ages(ONE)["live"] == 0


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
    shown = generate_latest(scene.metrics.registry).decode().splitlines()
    left = {line.split("{")[0] for line in shown if 'partition="0"' in line}
    # A loss is a loss, whoever reads the partition next.
    assert {it for it in left if "skipped_by_retention" not in it} == set()


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
