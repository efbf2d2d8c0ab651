"""Lanes: the urgent go first, and nobody waits for ever."""

from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from afterguard.contracts.words import Lane
from afterguard.flow.lanes import UNDATED_DUE_S, Lanes, engine_priority, lane_place, urgency

AGEING_S = 30.0


class Event(NamedTuple):
    """Something that waits, with all that its turn depends on."""

    number: int
    lane: Lane
    arrived: float
    deadline: float | None = None

    @property
    def place(self) -> float:
        return lane_place(self.lane, self.arrived, AGEING_S)

    @property
    def due(self) -> float:
        return self.place + UNDATED_DUE_S if self.deadline is None else self.deadline


def waiting(*events: Event) -> Lanes[Event]:
    lanes: Lanes[Event] = Lanes()
    for event in events:
        lanes.push(event, event.lane, event.place, event.deadline)
    return lanes


def order(lanes: Lanes[Event]) -> list[int]:
    return [lanes.pop().waiting.number for _ in range(len(lanes))]


def test_live_goes_before_standard_before_backfill() -> None:
    lanes = waiting(*(Event(urgency(it), it, 0.0) for it in reversed(Lane)))
    assert order(lanes) == [0, 1, 2]


def test_the_lanes_are_ranked_from_the_most_urgent_on() -> None:
    assert [urgency(lane) for lane in (Lane.LIVE, Lane.STANDARD, Lane.BACKFILL)] == [0, 1, 2]


def test_what_waited_one_ageing_time_goes_before_the_next_lane_s_newcomer() -> None:
    lanes = waiting(Event(0, Lane.BACKFILL, 0.0), Event(1, Lane.STANDARD, 31.0))
    assert order(lanes) == [0, 1]


def test_inside_a_lane_the_earliest_deadline_goes_first() -> None:
    lanes = waiting(
        Event(0, Lane.LIVE, 0.0, deadline=60.0),
        Event(1, Lane.LIVE, 1.0, deadline=10.0),
        Event(2, Lane.LIVE, 2.0, deadline=30.0),
    )
    assert order(lanes) == [1, 2, 0]


def test_an_early_deadline_does_not_jump_the_lanes() -> None:
    lanes = waiting(
        Event(0, Lane.STANDARD, 0.0, deadline=1.0), Event(1, Lane.LIVE, 0.0, deadline=60.0)
    )
    assert order(lanes) == [1, 0]


def test_who_goes_first_changes_places_with_the_one_whose_turn_it_was() -> None:
    lanes = waiting(
        Event(0, Lane.STANDARD, 0.0, deadline=600.0),
        Event(1, Lane.STANDARD, 5.0, deadline=20.0),
        Event(2, Lane.LIVE, 32.0, deadline=90.0),
    )
    turns = [lanes.pop() for _ in range(3)]
    assert [(it.waiting.number, it.place) for it in turns] == [(1, 30.0), (2, 32.0), (0, 35.0)]


def test_a_lane_does_not_live_on_the_place_of_one_old_event() -> None:
    old = Event(0, Lane.BACKFILL, 0.0, deadline=1e6)
    lanes = waiting(old, *(Event(number, Lane.LIVE, 1_000.0) for number in range(1, 4)))
    for number in range(4, 7):
        event = Event(number, Lane.BACKFILL, 1_000.0, deadline=2_000.0)
        lanes.push(event, event.lane, event.place, event.deadline)
    assert order(lanes) == [4, 1, 2, 3, 5, 6, 0]


def test_nothing_waits_in_empty_lanes() -> None:
    with pytest.raises(IndexError):
        waiting().pop()


def test_what_is_past_its_deadline_is_found_behind_what_has_none() -> None:
    lanes = waiting(
        Event(0, Lane.BACKFILL, 0.0),
        Event(1, Lane.BACKFILL, 0.0, deadline=UNDATED_DUE_S * 2),
        Event(2, Lane.LIVE, 0.0, deadline=UNDATED_DUE_S * 3),
    )
    assert [it.number for it in lanes.overdue(UNDATED_DUE_S * 2, 9)] == [1]
    assert order(lanes) == [2, 0]


def test_the_oldest_of_one_lane_can_be_taken_out_and_the_other_lanes_keep_theirs() -> None:
    lanes = waiting(*(Event(number, Lane.BACKFILL, float(number)) for number in range(5)))
    lanes.push(Event(9, Lane.LIVE, 0.0), Lane.LIVE, 0.0, None)
    before = lane_place(Lane.BACKFILL, 3.0, AGEING_S)
    assert [it.number for it in lanes.before(Lane.BACKFILL, before, 2)] == [0, 1]
    assert [it.number for it in lanes.before(Lane.BACKFILL, before, 9)] == [2]
    assert order(lanes) == [9, 3, 4]


def test_an_old_event_that_others_pass_does_not_keep_their_empty_seats() -> None:
    lanes = waiting(Event(0, Lane.STANDARD, 0.0))
    for number in range(1, 5_000):
        lanes.push(Event(number, Lane.STANDARD, 0.0), Lane.STANDARD, AGEING_S, float(number) / 10)
        lanes.pop()
    lane = lanes._lanes[Lane.STANDARD]
    kept = (lane._places, lane._dated, lane._undated)
    assert sum(len(it) for it in kept) < 300


@given(st.sampled_from(Lane), st.sampled_from(Lane), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_engine_s_priority_never_contradicts_the_place(
    one: Lane, other: Lane, at: float, later: float
) -> None:
    first, second = lane_place(one, at, AGEING_S), lane_place(other, later, AGEING_S)
    if engine_priority(first) < engine_priority(second):
        assert first < second


class Traffic(RuleBasedStateMachine):
    """Events of all lanes come, go, expire and are shed as time goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: Lanes[Event] = Lanes()
        self.now = 0.0
        self.came = 0
        self.waiting: dict[int, Event] = {}
        self.place: dict[int, float] = {}

    @rule(
        lane=st.sampled_from(Lane),
        later=st.floats(0, 40),
        left=st.none() | st.floats(0.1, 900),
    )
    def come(self, lane: Lane, later: float, left: float | None) -> None:
        self.now += later
        deadline = None if left is None else self.now + left
        event = Event(self.came, lane, self.now, deadline)
        self.came += 1
        self.waiting[event.number] = event
        self.place[event.number] = event.place
        self.lanes.push(event, lane, event.place, deadline)

    @rule()
    def go(self) -> None:
        if not self.waiting:
            return
        going, place = self.lanes.pop()
        rivals = [it for it in self.waiting.values() if it.lane is going.lane]
        assert going.due == min(it.due for it in rivals)
        assert place == min(self.place[number] for number in self.waiting)
        whose = min(rivals, key=lambda it: self.place[it.number])
        self.place[whose.number] = self.place[going.number]
        del self.waiting[going.number]
        for passed in self.waiting.values():
            # Places are used once and new ones stand behind the clock: nobody waits for ever.
            limit = max(passed.place, passed.due + urgency(passed.lane) * AGEING_S)
            assert place <= self.place[passed.number] <= limit

    @rule(later=st.floats(0, 900), most=st.integers(1, 9))
    def expire(self, later: float, most: int) -> None:
        self.now += later
        late = [it for it in self.waiting.values() if it.deadline and it.deadline <= self.now]
        expired = self.lanes.overdue(self.now, most)
        assert len(expired) == min(most, len(late))
        assert set(expired) <= set(late)
        for event in expired:
            del self.waiting[event.number]

    @rule(lane=st.sampled_from(Lane), age=st.floats(0, 60), most=st.integers(0, 3))
    def shed(self, lane: Lane, age: float, most: int) -> None:
        before = lane_place(lane, self.now - age, AGEING_S)
        old = [it for it in self.waiting.values() if it.lane is lane and it.place < before]
        shed = self.lanes.before(lane, before, most)
        assert shed == old[:most]
        for event in shed:
            del self.waiting[event.number]

    @rule(number=st.integers(0, 9))
    def drop(self, number: int) -> None:
        self.waiting.pop(number, None)
        self.lanes.keep(lambda it: it.number in self.waiting)

    @invariant()
    def none_is_lost(self) -> None:
        assert len(self.lanes) == len(self.waiting)
        assert {it.number for it in self.lanes} == set(self.waiting)

    def teardown(self) -> None:
        assert sorted(order(self.lanes)) == sorted(self.waiting)


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
