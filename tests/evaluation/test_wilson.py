"""Wilson's interval: the one that scipy gives, and never without the share itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from afterguard.evaluation.wilson import wilson

COUNTS = st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(COUNTS)
def test_the_interval_is_the_one_of_wilson(counted: tuple[int, int]) -> None:
    theirs = binomtest(*counted).proportion_ci(0.95, "wilson")
    ours = wilson(*counted)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


@given(COUNTS)
def test_the_interval_holds_the_share(counted: tuple[int, int]) -> None:
    found = wilson(*counted)
    assert 0 <= found.low <= found.value <= found.high <= 1
