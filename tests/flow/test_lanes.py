"""Lanes: the urgent go first, and nobody waits for ever."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.contracts.words import Lane
from afterguard.flow.lanes import Lanes, engine_priority, lane_place, urgency


def test_live_goes_before_standard_before_backfill() -> None:
    lanes: Lanes[Lane] = Lanes()
    for lane in (Lane.BACKFILL, Lane.STANDARD, Lane.LIVE):
        lanes.push(lane, lane_place(lane, now=0.0, ageing_s=30))
    assert [lanes.pop() for _ in range(3)] == [Lane.LIVE, Lane.STANDARD, Lane.BACKFILL]


def test_the_lanes_are_ranked_from_the_most_urgent_on() -> None:
    assert [urgency(lane) for lane in (Lane.LIVE, Lane.STANDARD, Lane.BACKFILL)] == [0, 1, 2]


def test_what_waited_one_ageing_time_goes_before_the_next_lane_s_newcomer() -> None:
    lanes: Lanes[str] = Lanes()
    lanes.push("old backfill", lane_place(Lane.BACKFILL, now=0.0, ageing_s=30))
    lanes.push("new standard", lane_place(Lane.STANDARD, now=31.0, ageing_s=30))
    assert lanes.pop() == "old backfill"


@given(st.lists(st.floats(0, 1e6), max_size=30))
def test_equals_leave_in_the_order_they_came(places: list[float]) -> None:
    lanes: Lanes[tuple[float, int]] = Lanes()
    for number, place in enumerate(places):
        lanes.push((place, number), place)
    left = [lanes.pop() for _ in places]
    assert left == sorted(left)


@given(st.sampled_from(Lane), st.sampled_from(Lane), st.floats(0, 1e6), st.floats(0, 1e6))
def test_the_engine_s_priority_never_contradicts_the_place(
    one: Lane, other: Lane, at: float, later: float
) -> None:
    first, second = lane_place(one, at, 30.0), lane_place(other, later, 30.0)
    if engine_priority(first) < engine_priority(second):
        assert first < second
