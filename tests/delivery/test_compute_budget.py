"""The compute budget adds up the last hour, a minute more at most, and never too little."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.compute_budget import BUCKET_S, Compute, ComputeBudget

HOUR_S = 3_600.0
spends = st.lists(
    st.tuples(st.floats(0, 1_500), st.integers(0, 1_000), st.floats(0, 60)), max_size=40
)


def spent(
    budget: ComputeBudget, steps: list[tuple[float, int, float]], began: float
) -> list[tuple[float, Compute]]:
    """Spend after each pause; what was spent when."""
    now, done = began, []
    for pause, tokens, seconds in steps:
        now += pause
        budget.spend(Compute(tokens, seconds), now)
        done.append((now, Compute(tokens, seconds)))
    return done


def total(done: list[tuple[float, Compute]], since: float) -> Compute:
    late = [it for when, it in done if when > since]
    return Compute(sum(it.tokens for it in late), sum(it.engine_seconds for it in late))


@given(spends, st.floats(0, 1e6), st.floats(0, 9_000))
def test_what_is_said_is_the_last_hour_and_a_minute_more_at_most(
    steps: list[tuple[float, int, float]], began: float, pause: float
) -> None:
    budget = ComputeBudget()
    done = spent(budget, steps, began)
    now = (done[-1][0] if done else began) + pause
    said = budget.last_hour(now)
    least, most = total(done, now - HOUR_S), total(done, now - HOUR_S - BUCKET_S - 1e-6)
    assert least.tokens <= said.tokens <= most.tokens
    assert least.engine_seconds - 1e-6 <= said.engine_seconds <= most.engine_seconds + 1e-6


@given(spends)
def test_an_hour_and_a_minute_later_all_of_it_is_forgotten(
    steps: list[tuple[float, int, float]],
) -> None:
    budget = ComputeBudget(tokens_per_hour=10)
    done = spent(budget, steps, 0.0)
    last = done[-1][0] if done else 0.0
    assert budget.used(last + HOUR_S + BUCKET_S) == 0.0


@given(spends)
def test_how_often_it_is_looked_at_changes_nothing(steps: list[tuple[float, int, float]]) -> None:
    watched, alone = ComputeBudget(), ComputeBudget()
    now = 0.0
    for pause, tokens, seconds in steps:
        watched.last_hour(now + pause / 2)
        now += pause
        watched.spend(Compute(tokens, seconds), now)
        alone.spend(Compute(tokens, seconds), now)
        assert watched.last_hour(now) == alone.last_hour(now)


@pytest.mark.parametrize(
    ("limits", "used"),
    [
        ({}, 0.0),
        ({"tokens_per_hour": 1_000}, 0.5),
        ({"engine_seconds_per_hour": 40}, 0.25),
        ({"tokens_per_hour": 1_000, "engine_seconds_per_hour": 40}, 0.5),
        ({"tokens_per_hour": 10_000, "engine_seconds_per_hour": 40}, 0.25),
        ({"tokens_per_hour": 250}, 2.0),
    ],
)
def test_of_two_limits_the_one_nearer_its_end_counts(limits: dict[str, float], used: float) -> None:
    budget = ComputeBudget(**limits)
    budget.spend(Compute(500, 10.0), 5.0)
    assert budget.used(6.0) == used
