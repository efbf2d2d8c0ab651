"""Allowance: something may be mended a few times, and not for ever."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.delivery.allowance import Allowance


def test_what_is_used_comes_back_when_its_time_is_over() -> None:
    allowance = Allowance(1, 600)
    assert allowance.spend(0)
    assert not allowance.spend(599.9)
    assert allowance.spend(600)


@given(
    st.integers(1, 4),
    st.integers(1, 50),
    st.lists(st.integers(0, 30), max_size=60),
)
def test_never_more_than_so_many_in_any_window(times: int, within: int, steps: list[int]) -> None:
    allowance, now, used = Allowance(times, within), 0, []
    for step in steps:
        now += step
        if allowance.spend(now):
            used.append(now)
    for number, start in enumerate(used):
        assert len([it for it in used[number:] if it - start < within]) <= times
