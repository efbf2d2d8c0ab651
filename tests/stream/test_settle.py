"""Settle: what is settled is committed, and a commit that fails is never taken for one."""

import asyncio
from time import monotonic

import pytest
from tests.stream.faulty import HANGS, FaultyCommits

from afterguard.contracts.errors import StreamUnavailable
from afterguard.delivery.ledger import Entry
from afterguard.stream.assignments import Assignments
from afterguard.stream.ports import Partition
from afterguard.stream.settle import Commit, Settle

ONE, OTHER = Partition("chat.events", 0), Partition("chat.events", 1)
AWAY = StreamUnavailable("away")


class Clock:
    """Monotonic seconds that pass while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


def opened(*partitions: Partition) -> Assignments:
    assignments = Assignments(release=lambda _: None)
    assignments.open(partitions)
    return assignments


def admit(assignments: Assignments, partition: Partition, offset: int) -> Entry:
    assignment = assignments.get(partition)
    assert assignment is not None
    return assignment.ledger.admit(offset, 1, 0.0)


def settling(
    consumer: FaultyCommits, assignments: Assignments, clock: Clock | None = None
) -> Settle:
    clock = clock or Clock()
    return Settle(consumer, assignments, interval_s=0.5, clock=clock, sleep=clock.sleep)


async def test_only_what_has_moved_is_committed() -> None:
    consumer, assignments = FaultyCommits(True), opened(ONE, OTHER)
    admit(assignments, ONE, 7).settle()
    admit(assignments, OTHER, 3)
    room = settling(consumer, assignments)

    assert await room.commit() is Commit.COUNTED
    assert await room.commit() is Commit.NOTHING_TO_DO
    assert consumer.asked == [{ONE: 8}]


async def test_a_partition_without_a_commit_gets_one_where_its_reading_began() -> None:
    consumer, assignments = FaultyCommits(True), opened(ONE, OTHER)
    consumer.reading_began = {ONE: 40}
    room = settling(consumer, assignments)

    assert await room.commit() is Commit.COUNTED
    assert await room.commit() is Commit.NOTHING_TO_DO
    assert consumer.asked == [{ONE: 40}]


async def test_where_reading_began_is_never_committed_over_what_is_settled() -> None:
    consumer, assignments = FaultyCommits(True), opened(ONE)
    consumer.reading_began = {ONE: 40}
    room = settling(consumer, assignments)
    admit(assignments, ONE, 40).settle()

    assert await room.commit() is Commit.COUNTED
    assert await room.commit() is Commit.NOTHING_TO_DO
    assert consumer.asked == [{ONE: 41}]


async def test_where_reading_began_is_not_committed_for_a_partition_that_went() -> None:
    consumer, assignments = FaultyCommits(True), opened(ONE)
    consumer.reading_began = {ONE: 40}
    assignments.close([ONE])
    assert await settling(consumer, assignments).commit() is Commit.NOTHING_TO_DO


async def test_a_commit_that_did_not_count_is_tried_again() -> None:
    consumer, assignments = FaultyCommits(False, AWAY, True), opened(ONE)
    admit(assignments, ONE, 0).settle()
    room = settling(consumer, assignments)

    assert await room.commit() is Commit.REFUSED
    assert await room.commit() is Commit.UNANSWERED
    assert await room.commit() is Commit.COUNTED
    assert consumer.asked == [{ONE: 1}] * 3


async def test_the_timer_commits_the_last_events_of_a_lull() -> None:
    consumer, assignments, clock = FaultyCommits(True), opened(ONE), Clock()
    room = settling(consumer, assignments, clock)
    running = asyncio.create_task(room.run())
    admit(assignments, ONE, 0).settle()
    while not consumer.asked:
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert consumer.asked == [{ONE: 1}]


async def test_commits_that_nobody_answers_end_the_worker() -> None:
    assignments = opened(ONE)
    admit(assignments, ONE, 0).settle()
    with pytest.raises(StreamUnavailable, match=r"kafka\.bootstrap_servers"):
        await settling(FaultyCommits(AWAY), assignments).run()


async def test_a_member_whose_commits_are_refused_for_a_minute_ends() -> None:
    assignments, clock = opened(ONE), Clock()
    admit(assignments, ONE, 0).settle()
    with pytest.raises(StreamUnavailable, match="stuck outside"):
        await settling(FaultyCommits(False), assignments, clock).run()
    assert 60 <= clock.now <= 62


async def test_refusals_during_a_rebalance_are_forgotten_when_the_partitions_went() -> None:
    assignments, clock = opened(ONE), Clock()
    room = settling(FaultyCommits(False), assignments, clock)
    for _ in range(3):
        assignments.open([ONE])
        admit(assignments, ONE, 0).settle()
        assert await room.commit() is Commit.REFUSED
        clock.now += 50
        assignments.close([ONE])
        assert await room.commit() is Commit.NOTHING_TO_DO


async def test_finish_waits_for_what_is_in_flight_and_commits_it() -> None:
    consumer, assignments, clock = FaultyCommits(True), opened(ONE), Clock()
    entry = admit(assignments, ONE, 4)
    room = settling(consumer, assignments, clock)
    finishing = asyncio.create_task(room.finish([ONE], wait_until=10.0, end_by=12.0))
    await asyncio.sleep(0)
    assert not consumer.asked

    entry.settle()

    assert await finishing == 0
    assert consumer.asked == [{ONE: 5}]


async def test_finish_leaves_behind_what_is_late_and_commits_the_rest() -> None:
    consumer, assignments, clock = FaultyCommits(True), opened(ONE), Clock()
    admit(assignments, ONE, 0).settle()
    admit(assignments, ONE, 1)
    assert (
        await settling(consumer, assignments, clock).finish(None, wait_until=1.0, end_by=6.0) == 1
    )
    assert consumer.asked == [{ONE: 1}]
    assert clock.now == pytest.approx(1.0, abs=0.1)


async def test_finish_asks_again_when_the_last_commit_was_not_answered() -> None:
    consumer, assignments = FaultyCommits(AWAY, AWAY, True), opened(ONE)
    admit(assignments, ONE, 0).settle()
    assert await settling(consumer, assignments).finish(None, wait_until=0.0, end_by=5.0) == 0
    assert not assignments.uncommitted()


async def test_a_refused_last_commit_is_not_asked_again() -> None:
    consumer, assignments, clock = FaultyCommits(False), opened(ONE), Clock()
    admit(assignments, ONE, 0).settle()
    await settling(consumer, assignments, clock).finish(None, wait_until=0.0, end_by=5.0)
    assert len(consumer.asked) == 1
    assert clock.now == 0


async def test_a_broker_that_never_answers_does_not_hold_the_drain() -> None:
    assignments = opened(ONE)
    admit(assignments, ONE, 0).settle()
    room = Settle(FaultyCommits(HANGS), assignments, interval_s=0.5)
    async with asyncio.timeout(5):
        await room.finish(None, wait_until=monotonic(), end_by=monotonic() + 0.05)
    assert assignments.uncommitted() == {ONE: 1}


async def test_no_step_of_finishing_goes_beyond_its_end() -> None:
    assignments, clock = opened(ONE), Clock()
    admit(assignments, ONE, 0).settle()
    admit(assignments, ONE, 1)
    await settling(FaultyCommits(AWAY), assignments, clock).finish(None, wait_until=1.0, end_by=1.2)
    assert clock.now == pytest.approx(1.2, abs=0.1)


def test_a_new_assignment_has_committed_nothing() -> None:
    assignments = opened(ONE)
    admit(assignments, ONE, 0).settle()
    assignments.mark_committed({ONE: 1})
    assignments.open([ONE])
    admit(assignments, ONE, 0).settle()
    assert assignments.uncommitted() == {ONE: 1}
