"""The ladder: down with the use, up again only when it has fallen by a rung, never to and fro."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.ladder import RUNGS, Ladder

BEGINS = 0.6
RUNG = (1 - BEGINS) / (RUNGS - 1)
uses = st.lists(st.floats(0, 1.3), min_size=1, max_size=60)


def test_the_steps_are_spread_evenly_up_to_the_whole_budget() -> None:
    ladder = Ladder(BEGINS)
    assert [round(ladder.mark(it), 9) for it in range(1, RUNGS + 1)] == [
        0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0,
    ]  # fmt: skip


@pytest.mark.parametrize(("used", "steps"), [(0.0, 0), (0.59, 0), (0.6, 1), (0.83, 5), (1.0, 9)])
def test_a_jump_takes_all_the_steps_at_once(used: float, steps: int) -> None:
    assert Ladder(BEGINS).stand(used) == steps


def test_it_goes_no_lower_than_it_was_told() -> None:
    assert Ladder(BEGINS, 8).stand(7.0) == 8


@given(uses)
def test_it_stands_between_what_is_due_and_one_rung_more(seen: list[float]) -> None:
    ladder = Ladder(BEGINS)
    for used in seen:
        due, slow = Ladder(BEGINS).stand(used), Ladder(BEGINS).stand(used + RUNG + 1e-9)
        assert due <= ladder.stand(used) <= slow


@given(uses)
def test_it_turns_round_only_after_the_use_has_moved_by_a_rung(seen: list[float]) -> None:
    ladder, stands = Ladder(BEGINS), 0
    took: list[tuple[int, float]] = []
    for used in seen:
        now = ladder.stand(used)
        if now != stands:
            took.append((1 if now > stands else -1, used))
        stands = now
    for (way, used), (next_way, next_used) in pairwise(took):
        if way != next_way:
            assert abs(next_used - used) > RUNG - 1e-9


@given(uses)
def test_while_the_use_rises_no_step_is_taken_back(seen: list[float]) -> None:
    ladder = Ladder(BEGINS)
    stands = [ladder.stand(used) for used in sorted(seen)]
    assert stands == sorted(stands)


@given(st.floats(0.01, 0.99), st.floats(0, 2))
def test_wherever_it_begins_the_whole_budget_is_the_last_step(begins: float, used: float) -> None:
    steps = Ladder(begins).stand(used)
    assert (steps == RUNGS) is (used >= 1.0)
    assert (steps == 0) is (used < begins)
