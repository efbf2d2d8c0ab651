"""The retry schedule: jittered waits that grow, stay under the cap and inside the deadline."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.retry import RetrySchedule


def test_the_bound_of_the_wait_doubles_with_every_try() -> None:
    schedule = RetrySchedule(attempts=9, base_s=1, cap_s=5, random=lambda: 0.5)
    assert [schedule.wait_s(tries, left_s=None) for tries in (1, 2, 3, 4)] == [0.5, 1.0, 2.0, 2.5]


def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    schedule = RetrySchedule(attempts=9, base_s=4, cap_s=4, random=lambda: 0.5)
    assert schedule.wait_s(1, left_s=2.0) is None
    assert schedule.wait_s(1, left_s=2.1) == 2.0


@given(
    attempt=st.integers(1, 10_000),
    draw=st.floats(0, 1, exclude_max=True),
    left=st.none() | st.floats(0.01, 100),
)
def test_a_wait_is_never_negative_above_the_cap_or_past_the_deadline(
    attempt: int, draw: float, left: float | None
) -> None:
    schedule = RetrySchedule(attempts=10_001, base_s=0.1, cap_s=5.0, random=lambda: draw)
    wait = schedule.wait_s(attempt, left_s=left)
    if wait is None:
        assert left is not None
    else:
        assert 0 <= wait <= 5.0
        assert left is None or wait < left
