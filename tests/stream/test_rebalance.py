"""Rebalance: partitions come and go; nothing is lost, and nothing late moves an offset."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from structlog.testing import capture_logs
from tests.stream.faulty import HANGS, FaultyCommits

from afterguard.contracts.errors import StreamUnavailable
from afterguard.delivery.budget import TokenBudget
from afterguard.delivery.ledger import Entry
from afterguard.stream import rebalance
from afterguard.stream.assignments import Assignments
from afterguard.stream.ports import Partition
from afterguard.stream.rebalance import Rebalance
from afterguard.stream.settle import Settle

ONE, OTHER = Partition("chat.events", 0), Partition("chat.events", 1)


class Held:
    """Intake as a rebalance sees it."""

    def __init__(self) -> None:
        self.held = False

    def hold(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False


class Scene:
    """A rebalance around real ledgers and a real budget."""

    def __init__(self, *commits: bool | Exception | str, grace_s: float = 5.0) -> None:
        self.budget = TokenBudget(1_000, 1_000, 0.5)
        self.assignments = Assignments(self.budget.release)
        self.consumer, self.intake = FaultyCommits(*(commits or (True,))), Held()
        self.cast_offs = 0
        self.landed: list[tuple[Partition, ...]] = []
        room: Any = self.intake
        self.rebalance = Rebalance(
            room,
            Settle(self.consumer, self.assignments, interval_s=0.5),
            self,
            grace_s=grace_s,
        )

    def cast_off(self) -> int:
        self.cast_offs += 1
        return 0

    def land(self, partitions: Collection[tuple[str, int]]) -> int:
        self.landed.append(tuple(Partition(*it) for it in partitions))
        return 0

    def admit(self, partition: Partition, offset: int, tokens: int = 5) -> Entry:
        assignment = self.assignments.get(partition)
        assert assignment is not None
        entry = assignment.ledger.admit(offset, tokens, 0.0)
        self.budget.take(tokens)
        return entry


async def test_work_in_flight_is_finished_and_committed_before_partitions_go() -> None:
    scene = Scene()
    scene.rebalance.assigned([ONE])
    before = scene.cast_offs
    entry = scene.admit(ONE, 7)
    going = asyncio.create_task(scene.rebalance.revoked([ONE]))
    await asyncio.sleep(0.05)
    assert scene.intake.held
    assert not going.done()

    entry.settle()
    await going

    assert scene.consumer.asked == [{ONE: 8}]
    assert len(scene.assignments) == 0
    assert scene.cast_offs == before + 1


async def test_after_the_grace_the_rest_is_given_back_and_its_tokens_are_free() -> None:
    scene = Scene(grace_s=0.05)
    scene.rebalance.assigned([ONE])
    scene.admit(ONE, 0).settle()
    late = scene.admit(ONE, 1)

    await scene.rebalance.revoked([ONE])
    late.settle()

    assert scene.consumer.asked == [{ONE: 1}]
    assert scene.budget.statistics()[0:3:2] == (0, 0)
    assert scene.assignments.fates == (2, 1, 0, 1)


async def test_intake_goes_on_when_partitions_come_back() -> None:
    scene = Scene()
    scene.rebalance.assigned([ONE])
    await scene.rebalance.revoked([ONE])
    assert scene.intake.held
    scene.rebalance.assigned([ONE])
    assert not scene.intake.held


async def test_work_of_partitions_that_did_not_come_back_is_ended_when_the_others_do() -> None:
    scene = Scene()
    scene.rebalance.assigned([ONE, OTHER])
    await scene.rebalance.revoked([ONE, OTHER])
    scene.rebalance.assigned([ONE])
    assert scene.landed == [(ONE, OTHER), (ONE,)]


async def test_all_of_a_revoke_ends_by_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebalance, "LAST_COMMIT_S", 0.05)
    scene = Scene(HANGS, grace_s=0.0)
    scene.rebalance.assigned([ONE])
    scene.admit(ONE, 0).settle()
    async with asyncio.timeout(3):
        await scene.rebalance.revoked([ONE])
    assert len(scene.assignments) == 0


async def test_a_broker_that_is_gone_does_not_keep_the_ledgers_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebalance, "LAST_COMMIT_S", 0.05)
    scene = Scene(StreamUnavailable("away"), grace_s=0.0)
    scene.rebalance.assigned([ONE])
    scene.admit(ONE, 0).settle()
    await scene.rebalance.revoked([ONE])
    assert len(scene.assignments) == 0


async def test_a_rebalance_that_is_broken_off_closes_its_ledgers_too() -> None:
    scene = Scene()
    scene.rebalance.assigned([ONE, OTHER])
    scene.admit(ONE, 0)
    going = asyncio.create_task(scene.rebalance.revoked([ONE, OTHER]))
    await asyncio.sleep(0.05)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going
    assert len(scene.assignments) == 0
    assert scene.budget.statistics().tokens == 0


async def test_what_came_and_went_is_told_with_what_was_given_back() -> None:
    scene = Scene(grace_s=0.0)
    with capture_logs() as logs:
        scene.rebalance.assigned([ONE])
        scene.admit(ONE, 0)
        await scene.rebalance.revoked([ONE])
    assert logs[-1]["event"] == "partitions revoked"
    assert logs[-1]["given_back"] == 1


class Generations(RuleBasedStateMachine):
    """Partitions come and go at random while events of all generations complete late."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = TokenBudget(100, 20, 0.5)
        self.assignments = Assignments(self.budget.release)
        self.entries: list[tuple[Partition, int, Entry]] = []
        self.next_offset = {ONE: 0, OTHER: 0}
        self.generation = {ONE: 0, OTHER: 0}
        self.settled: dict[Partition, set[int]] = {ONE: set(), OTHER: set()}
        self.log_committed = {ONE: 0, OTHER: 0}

    @rule(partition=st.sampled_from([ONE, OTHER]))
    def assign(self, partition: Partition) -> None:
        self.assignments.open([partition])
        self.generation[partition] += 1
        self.next_offset[partition] = self.log_committed[partition]
        self.settled[partition] = set()

    @rule(partition=st.sampled_from([ONE, OTHER]), gap=st.integers(0, 2))
    def admit(self, partition: Partition, gap: int) -> None:
        if assignment := self.assignments.get(partition):
            offset = self.next_offset[partition] + gap
            entry = assignment.ledger.admit(offset, 3, 0.0)
            self.budget.take(3)
            self.entries.append((partition, self.generation[partition], entry))
            self.next_offset[partition] = offset + 1

    @rule(pick=st.integers(0))
    def complete(self, pick: int) -> None:
        if self.entries:
            partition, generation, entry = self.entries.pop(pick % len(self.entries))
            entry.settle()
            if generation == self.generation[partition] and entry.live:
                self.settled[partition].add(entry.offset)

    @rule()
    def commit(self) -> None:
        positions = dict(self.assignments.uncommitted())
        for partition, position in positions.items():
            waiting = {
                entry.offset
                for place, generation, entry in self.entries
                if place == partition and generation == self.generation[partition]
            }
            assert all(offset >= position for offset in waiting), "committed past an open event"
            assert position - 1 in self.settled[partition], "moved by a late completion"
        self.log_committed |= positions
        self.assignments.mark_committed(positions)

    @rule(partition=st.sampled_from([ONE, OTHER]))
    def revoke(self, partition: Partition) -> None:
        self.assignments.close([partition])

    @invariant()
    def fates_balance(self) -> None:
        assert self.assignments.fates.balanced
        live = [entry for _, _, entry in self.entries if entry.live]
        assert self.assignments.in_flight() == len(live)

    @invariant()
    def budget_holds_what_is_in_flight(self) -> None:
        live = sum(entry.tokens for _, _, entry in self.entries if entry.live)
        assert self.budget.statistics().tokens == live

    def teardown(self) -> None:
        self.assignments.close([ONE, OTHER])
        assert self.budget.statistics()[0:3:2] == (0, 0)
        assert self.assignments.fates.in_flight == 0


TestGenerations = Generations.TestCase
TestGenerations.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
