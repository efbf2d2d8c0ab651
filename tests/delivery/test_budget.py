"""The token budget: intake pauses above it and resumes well below it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.budget import TokenBudget


def test_it_is_exhausted_at_the_limit_of_tokens() -> None:
    budget = TokenBudget(tokens=100, events=10, resume_share=0.5)
    budget.take(99)
    assert not budget.exhausted
    budget.take(1)
    assert budget.exhausted


def test_it_is_exhausted_at_the_limit_of_events() -> None:
    budget = TokenBudget(tokens=100, events=2, resume_share=0.5)
    budget.take(0)
    budget.take(0)
    assert budget.exhausted


def test_it_stays_exhausted_until_the_lower_mark() -> None:
    budget = TokenBudget(tokens=100, events=10, resume_share=0.5)
    for _ in range(4):
        budget.take(25)
    budget.release(25)
    assert budget.exhausted
    budget.release(25)
    assert not budget.exhausted


def test_one_event_larger_than_the_budget_is_still_taken() -> None:
    budget = TokenBudget(tokens=100, events=10, resume_share=0.5)
    budget.take(5_000)
    assert budget.statistics().tokens == 5_000


def test_more_cannot_be_released_than_was_taken() -> None:
    budget = TokenBudget(tokens=100, events=10, resume_share=0.5)
    budget.take(3)
    with pytest.raises(ValueError, match="released 4 tokens with 3 in flight"):
        budget.release(4)


@given(st.lists(st.integers(0, 400)), st.randoms(use_true_random=False))
def test_it_returns_to_zero_when_everything_has_left(sizes: list[int], random: object) -> None:
    budget = TokenBudget(tokens=500, events=7, resume_share=0.7)
    for size in sizes:
        budget.take(size)
    random.shuffle(sizes)  # type: ignore[attr-defined]
    for size in sizes:
        budget.release(size)
    statistics = budget.statistics()
    assert (statistics.tokens, statistics.events, statistics.exhausted) == (0, 0, False)


def test_room_is_told_in_events_like_those_in_flight() -> None:
    budget = TokenBudget(tokens=1_000, events=100, resume_share=0.5)
    assert budget.room_events == 100
    for _ in range(4):
        budget.take(100)
    assert budget.room_events == 6
    budget.limit(450)
    assert budget.room_events == 1
    budget.limit(200)
    assert budget.room_events == 0


@given(
    st.integers(1, 1_000),
    st.integers(1, 50),
    st.lists(st.integers(1, 500) | st.just(0), max_size=40),
)
def test_room_is_never_negative_and_never_shut_below_the_limit(
    tokens: int, events: int, sizes: list[int]
) -> None:
    budget = TokenBudget(tokens, events, resume_share=1.0)
    for size in sizes:
        budget.take(size)
        stands = budget.statistics()
        below = stands.tokens < tokens and stands.events < events
        assert (budget.room_events > 0) is below
