"""Work in flight travels with partitions that come back; nothing is asked or concluded twice."""

import asyncio
from collections import Counter
from time import monotonic
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.flow.hall import held, turns
from tests.samples import policy

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.records import InputRecord
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.ledger import Entry, Stage

OURS = ("chat.events", 0)


async def test_work_that_comes_back_while_at_the_judge_is_not_asked_again() -> None:
    hall = held()
    async with hall.open():
        hall.offer(0)
        await turns()
        hall.revoke()
        assert hall.dispatch.cast_off() == 1
        assert hall.dispatch.land([OURS]) == 0
        again = hall.offer(0)
        hall.let(0)
        await turns()
    assert (hall.asked, hall.collected.offsets) == ([0], [0])
    assert again.entry.stage is Stage.JUDGED
    assert hall.collected.decisions[0].admission.entry is again.entry
    assert hall.collected.decisions[0].admission.ticket is again.ticket


async def test_what_was_found_without_an_owner_is_concluded_when_the_record_is_read_again() -> None:
    hall = held()
    async with hall.open():
        hall.offer(0)
        await turns()
        hall.revoke()
        hall.dispatch.cast_off()
        hall.let(0)
        await turns()
        assert (hall.collected.decisions, hall.dispatch.running) == ([], 0)
        hall.dispatch.land([OURS])
        again = hall.offer(0)
        assert hall.collected.offsets == [0]
    assert (hall.asked, again.entry.stage) == ([0], Stage.JUDGED)
    assert hall.dispatch.adrift == 0


async def test_what_was_decided_and_not_yet_written_is_said_again_without_asking() -> None:
    hall = held()
    async with hall.open():
        hall.offer(0)
        hall.let(0)
        await turns()
        hall.revoke()
        assert hall.dispatch.cast_off() == 1
        again = hall.offer(0)
    assert (hall.asked, hall.collected.offsets) == ([0], [0, 0])
    assert hall.collected.decisions[1].admission.entry is again.entry


async def test_what_was_settled_is_not_kept() -> None:
    hall = held()
    async with hall.open():
        offered = hall.offer(0)
        hall.let(0)
        await turns()
        offered.entry.settle()
        hall.revoke()
        assert hall.dispatch.cast_off() == 0


async def test_work_of_partitions_that_went_elsewhere_is_ended_in_the_engine() -> None:
    hall = held()
    async with hall.open():
        hall.offer(0)
        await turns()
        hall.revoke()
        hall.dispatch.cast_off()
        assert hall.dispatch.land([("chat.events", 1)]) == 1
        await turns()
        assert (hall.dispatch.running, hall.dispatch.adrift) == (0, 0)
    assert hall.ended == ["chat.events/0/0/harassment"]


@pytest.mark.parametrize(
    "changes",
    [
        {"record": InputRecord(Coordinates("chat.events", 0, 0), None, b"other")},
        {"policies": (policy(version="00000000000000bb"),)},
    ],
)
async def test_a_record_or_a_policy_that_changed_is_judged_anew(changes: dict[str, Any]) -> None:
    hall = held()
    async with hall.open():
        hall.offer(0)
        await turns()
        hall.revoke()
        hall.dispatch.cast_off()
        hall.offer(0, **changes)
        await turns()
        assert hall.asked == [0, 0]
        assert len(hall.ended) == 1
        hall.let(0)
        await turns()
    assert hall.collected.offsets == [0]


async def test_work_that_nobody_takes_up_is_ended_after_a_time() -> None:
    hall = held(adrift_s=10.0)
    async with hall.open():
        hall.offer(0)
        await turns()
        hall.revoke()
        hall.dispatch.cast_off()
        hall.now = 9.9
        hall.dispatch.sweep()
        assert hall.dispatch.adrift == 1
        hall.now = 10.0
        hall.dispatch.sweep()
        await turns()
        assert (hall.dispatch.running, hall.dispatch.adrift) == (0, 0)
    assert len(hall.ended) == 1


async def test_the_work_kept_is_bounded_and_the_oldest_goes_first() -> None:
    hall = held(limit=1)
    async with hall.open():
        for offset in range(5):
            hall.offer(offset)
            hall.let(offset)
            await turns()
            hall.revoke()
            hall.dispatch.cast_off()
        assert hall.dispatch.adrift == 2
        for offset in range(5):
            hall.offer(offset)
        await turns(30)
    assert hall.asked == [0, 1, 2, 3, 4, 0, 1, 2]


async def test_a_drain_keeps_nothing_for_later() -> None:
    hall = held()
    async with hall.open():
        hall.offer(0)
        await turns()
        hall.revoke()
        hall.dispatch.cast_off()
        assert hall.dispatch.withdraw() == 1
        await turns()
        assert (hall.dispatch.running, hall.dispatch.adrift) == (0, 0)


async def test_a_deadline_is_not_put_off_by_being_read_again() -> None:
    hall = held()
    async with hall.open():
        hall.offer(0, deadline=monotonic() + 0.2)
        await turns()
        hall.revoke()
        hall.dispatch.cast_off()
        hall.offer(0, deadline=1e12)
        async with asyncio.timeout(30):
            while not hall.collected.decisions:
                await asyncio.sleep(0.01)
    verdict = hall.collected.decisions[0].audit[0]
    assert (verdict.outcome, verdict.reason) == (Outcome.EXPIRED, Reason.DEADLINE_PASSED)


class Wandering(RuleBasedStateMachine):
    """One log of events; its partition comes and goes while judgements come late."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.hall = held(limit=3)
        self.serving = self.loop.create_task(self.hall.dispatch.run())
        self.committed = self.next = 0
        self.owned = True
        self.offered: list[Entry] = []
        self.settled: Counter[int] = Counter()
        self.given_up = 0
        self.turn()

    def turn(self, count: int = 10) -> None:
        self.loop.run_until_complete(turns(count))

    @rule(places=st.lists(st.floats(0, 9), min_size=1, max_size=4), turns=st.integers(0, 9))
    def read(self, places: list[float], turns: int) -> None:
        for place in places:
            if self.owned and self.next < 12:
                self.offered.append(self.hall.offer(self.next, place=place).entry)
                self.next += 1
        self.turn(turns)

    @rule(offset=st.integers(0, 11), turns=st.integers(0, 9))
    def answer(self, offset: int, turns: int) -> None:
        self.hall.let(offset)
        self.turn(turns)

    @rule(pick=st.integers(0, 9))
    def acknowledge(self, pick: int) -> None:
        judged = [it for it in self.offered if it.live and it.stage is Stage.JUDGED]
        if judged:
            entry = judged[pick % len(judged)]
            entry.settle()
            self.settled[entry.offset] += 1

    @rule(meanwhile=st.lists(st.integers(0, 3), max_size=3), turns=st.integers(0, 9))
    def revoke(self, meanwhile: list[int], turns: int) -> None:
        if self.owned:
            self.committed = self.hall.ledger.position or self.committed
            self.hall.revoke()
            self.hall.dispatch.cast_off()
            self.given_up += self.hall.dispatch.adrift == 6
            self.owned = False
            self.hall.let(*(self.committed + ahead for ahead in meanwhile))
            self.turn(turns)

    @rule(ours=st.sampled_from([True, True, True, False]))
    def assign(self, ours: bool) -> None:
        if not self.owned:
            ended = self.hall.dispatch.land([OURS] if ours else [])
            assert ours or self.hall.dispatch.adrift == 0
            self.given_up += bool(ended)
            self.owned, self.next = ours, self.committed

    @invariant()
    def the_limits_hold(self) -> None:
        assert self.hall.dispatch.running <= 3
        assert self.hall.dispatch.adrift <= 6

    @invariant()
    def every_event_is_said_once_through_its_own_entry(self) -> None:
        said = self.hall.collected.entries
        assert len({id(it) for it in said}) == len(said)
        assert {id(it) for it in said} <= {id(it) for it in self.offered}

    @invariant()
    def nobody_is_asked_again_without_need(self) -> None:
        for offset, times in Counter(self.hall.asked).items():
            assert times <= 1 + self.given_up + self.settled[offset]

    def teardown(self) -> None:
        if not self.owned:
            self.assign(ours=True)
        self.hall.let(*range(12))
        self.turn(200)
        live = [it for it in self.offered if it.live]
        assert all(it.stage >= Stage.JUDGED for it in live), "lost"
        assert (self.hall.dispatch.running, self.hall.dispatch.waiting) == (0, 0)
        self.hall.dispatch.withdraw()
        assert self.hall.dispatch.adrift == 0
        self.hall.dispatch.close()
        self.loop.run_until_complete(self.serving)
        self.loop.close()


TestWandering = Wandering.TestCase
TestWandering.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
