"""Bounds hold as often as they say, and a threshold is as high as it may be and no higher."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from afterguard.prefilter.bound import (
    choose_threshold,
    lower_bound,
    most_misses,
    violations_needed,
)

counts = st.integers(1, 400).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))
scores = st.lists(st.floats(0.000001, 1, allow_nan=False), min_size=1, max_size=120)
targets = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@given(counts, st.sampled_from([0.8, 0.95, 0.99]))
def test_it_is_the_exact_bound_of_clopper_and_pearson(
    count: tuple[int, int], confidence: float
) -> None:
    hits, of = count
    test = binomtest(hits, of, alternative="greater")
    theirs = test.proportion_ci(confidence, method="exact").low
    assert lower_bound(hits, of, confidence) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("of", [10, 100, 437])
def test_it_lies_above_the_truth_no_more_often_than_it_says(share: float, of: int) -> None:
    too_high = sum(
        float(binom.pmf(hits, of, share))
        for hits in range(of + 1)
        if lower_bound(hits, of, 0.95) > share
    )
    assert too_high <= 0.05 + 1e-9


@given(counts)
def test_it_never_promises_more_than_was_seen(count: tuple[int, int]) -> None:
    hits, of = count
    assert 0 <= lower_bound(hits, of, 0.95) <= hits / of


@given(st.integers(1, 1_000), targets)
def test_one_miss_more_than_allowed_breaks_the_target(violations: int, target: float) -> None:
    misses = most_misses(violations, target, 0.95)
    if misses >= 0:
        assert lower_bound(violations - misses, violations, 0.95) >= target
    assert lower_bound(violations - misses - 1, violations, 0.95) < target


@given(scores, targets, st.randoms())
def test_a_threshold_does_not_depend_on_the_order_of_rows(
    violations: list[float], target: float, chance: object
) -> None:
    shuffled = list(violations)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    tested = len(violations)
    assert choose_threshold(violations, target, 0.95, tested) == choose_threshold(
        shuffled, target, 0.95, tested
    )


@given(scores, targets)
def test_what_is_missed_lies_under_the_threshold_and_the_bound_is_of_that(
    violations: list[float], target: float
) -> None:
    cut = choose_threshold(violations, target, 0.95, len(violations))
    assert cut.misses == sum(score < cut.threshold for score in violations)
    hits = len(violations) - cut.misses
    assert cut.lower == lower_bound(hits, len(violations), 0.95)


@given(scores, targets)
def test_a_threshold_that_misses_any_most_likely_stands_the_test(
    violations: list[float], target: float
) -> None:
    cut = choose_threshold(violations, target, 0.95, len(violations))
    if cut.misses:
        assert cut.lower >= target


def test_with_too_few_violations_none_is_missed() -> None:
    cut = choose_threshold([0.2, 0.5, 0.9], 0.99, 0.95, 3)
    assert cut.misses == 0
    assert cut.threshold == pytest.approx(0.2, abs=1e-5)


def test_a_threshold_without_violations_is_refused() -> None:
    with pytest.raises(ValueError, match="needs violations"):
        choose_threshold([], 0.9, 0.95, 0)


@pytest.mark.parametrize(("target", "needed"), [(0.9, 29), (0.95, 59), (0.99, 299)])
def test_without_misses_it_takes_the_known_number_of_violations(target: float, needed: int) -> None:
    assert violations_needed(target, 0.95) == needed
    assert lower_bound(needed, needed, 0.95) >= target > lower_bound(needed - 1, needed - 1, 0.95)


def test_more_misses_than_the_target_allows_are_made_good_by_no_number() -> None:
    assert violations_needed(0.95, 0.95, missed=0.05) is None
    assert (violations_needed(0.95, 0.95, missed=0.02) or 0) > 59
