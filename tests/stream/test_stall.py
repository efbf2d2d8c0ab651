"""Stall: there is more to read, nothing holds it back, and the position does not move."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.stream.ports import Partition
from afterguard.stream.stall import Reading, Stall

LIMIT_S = 60.0
HERE, THERE = Partition("t", 0), Partition("t", 1)


def test_a_partition_that_grows_and_is_not_read_stalls_after_the_limit() -> None:
    stall = Stall(LIMIT_S)
    assert stall.look({HERE: Reading(5, 6, held=False)}, 0) == []
    assert stall.look({HERE: Reading(5, 9, held=False)}, LIMIT_S - 1) == []
    assert stall.look({HERE: Reading(5, 20, held=False)}, LIMIT_S) == [HERE]


def test_a_position_that_nobody_knows_is_one_that_does_not_move() -> None:
    stall = Stall(LIMIT_S)
    stall.look({HERE: Reading(None, 3, held=False)}, 0)
    assert stall.look({HERE: Reading(None, 3, held=False)}, LIMIT_S) == [HERE]


def test_the_time_during_which_it_is_held_back_does_not_count() -> None:
    stall = Stall(LIMIT_S)
    stall.look({HERE: Reading(5, 9, held=False)}, 0)
    stall.look({HERE: Reading(5, 9, held=True)}, 50)
    stall.look({HERE: Reading(5, 9, held=False)}, 55)
    assert stall.look({HERE: Reading(5, 9, held=False)}, LIMIT_S) == []


def test_a_partition_that_went_and_came_back_begins_anew() -> None:
    stall = Stall(LIMIT_S)
    stall.look({HERE: Reading(5, 9, held=False)}, 0)
    stall.look({}, 30)
    stall.look({HERE: Reading(5, 9, held=False)}, 40)
    assert stall.look({HERE: Reading(5, 9, held=False)}, LIMIT_S) == []


def test_one_that_moves_does_not_hide_one_that_stands() -> None:
    stall, told = Stall(LIMIT_S), list[Partition]()
    for now in range(0, 61, 10):
        told = stall.look(
            {HERE: Reading(now, 100, held=False), THERE: Reading(1, 100, held=False)}, now
        )
    assert told == [THERE]


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 5)), max_size=30))
def test_an_idle_topic_never_alarms(looks: list[tuple[int, int]]) -> None:
    stall, now, end = Stall(LIMIT_S), 0, 0
    for wait, more in looks:
        now, end = now + wait, end + more
        assert stall.look({HERE: Reading(end, end, held=False)}, now) == []


@given(st.lists(st.integers(0, 59), max_size=40))
def test_what_moves_between_any_two_looks_never_alarms(waits: list[int]) -> None:
    stall, now = Stall(LIMIT_S), 0
    for position, wait in enumerate(waits):
        now += wait
        assert stall.look({HERE: Reading(position, 10_000, held=False)}, now) == []
