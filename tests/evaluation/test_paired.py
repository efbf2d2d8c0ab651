"""Paired comparison: chance is told from change, and only what is proven is a regression."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation import labelled
from tests.evaluation.labelled import answers

from afterguard.evaluation.measures import Labels
from afterguard.evaluation.paired import Answers, Change, Difference, compare, mcnemar
from afterguard.evaluation.weighted import Measure

F1, RECALL, PR_AUC = Measure.F1, Measure.RECALL, Measure.PR_AUC


def one(
    labels: Labels, first: Answers, second: Answers, measure: Measure, **how: float
) -> Difference:
    (found,) = compare(labels, first, second, [measure], resamples=500, **how)  # type: ignore[arg-type]
    return found


@given(answers(), st.data())
def test_mcnemar_counts_known_rows_that_one_run_alone_got_right(
    rows: labelled.Answers, data: st.DataObject
) -> None:
    others = data.draw(st.lists(st.booleans(), min_size=len(rows.flags), max_size=len(rows.flags)))
    found = mcnemar(rows.labels, rows.flags, others)
    known = [it for it in zip(rows.labels, rows.flags, others, strict=True) if it[0] is not None]
    assert found.only_first == sum(label == a != b for label, a, b in known)
    assert found.only_second == sum(label == b != a for label, a, b in known)
    assert 0 < found.p <= 1


@given(st.integers(0, 12), st.integers(0, 12))
def test_mcnemar_is_the_two_sided_binomial_test(left: int, right: int) -> None:
    labels = [True] * (left + right)
    first = [True] * left + [False] * right
    found = mcnemar(labels, first, [not flag for flag in first])
    changed, fewer = left + right, min(left, right)
    tail = sum(comb(changed, k) for k in range(fewer + 1)) / 2**changed
    assert found.p == pytest.approx(min(1.0, 2 * tail))
    assert found.exact


def test_many_changed_rows_are_tested_by_the_normal_distribution() -> None:
    labels = [True] * 1_200
    first = [True] * 700 + [False] * 500
    found = mcnemar(labels, first, [not flag for flag in first])
    assert not found.exact
    assert found.p == pytest.approx(9.1e-9, rel=0.05)


@settings(max_examples=25)
@given(answers())
def test_a_run_compared_with_itself_is_never_worse(rows: labelled.Answers) -> None:
    itself = Answers(rows.flags, rows.scores)
    for found in compare(rows.labels, itself, itself, list(Measure), resamples=30):
        assert found.change in {Change.SAME, Change.INCOMPARABLE}


@settings(max_examples=25)
@given(answers(), st.data())
def test_what_is_worse_one_way_is_not_worse_the_other_way(
    rows: labelled.Answers, data: st.DataObject
) -> None:
    others = data.draw(st.lists(st.booleans(), min_size=len(rows.flags), max_size=len(rows.flags)))
    a, b = Answers(rows.flags), Answers(others)
    there = compare(rows.labels, a, b, [F1, RECALL], resamples=40)
    back = compare(rows.labels, b, a, [F1, RECALL], resamples=40)
    for one_way, other_way in zip(there, back, strict=True):
        if one_way.difference.value is not None:
            assert other_way.difference.value == pytest.approx(-one_way.difference.value)
        worse = {Change.REGRESSION, Change.UNPROVEN_DROP}
        assert not (one_way.change in worse and other_way.change in worse)


def test_a_large_and_certain_fall_is_a_regression() -> None:
    labels: Labels = [True] * 100 + [False] * 100
    right = [True] * 100 + [False] * 100
    found = one(labels, Answers(right), Answers([True] * 60 + [False] * 140), F1)
    assert found.change is Change.REGRESSION
    assert found.interval.high is not None
    assert found.interval.high < 0


def test_a_fall_on_few_rows_is_unproven() -> None:
    labels: Labels = [True] * 6 + [False] * 6
    right = [True] * 6 + [False] * 6
    found = one(labels, Answers(right), Answers([True] * 5 + [False] * 7), RECALL)
    assert found.change is Change.UNPROVEN_DROP


def test_a_certain_fall_within_the_tolerance_is_no_regression() -> None:
    labels: Labels = [True] * 1_000
    found = one(
        labels,
        Answers([True] * 1_000),
        Answers([True] * 980 + [False] * 20),
        RECALL,
        tolerance=0.03,
    )
    assert found.change is Change.SAME


def test_a_rise_of_false_alarms_is_the_regression_there() -> None:
    labels: Labels = [False] * 200
    measure = Measure.FALSE_POSITIVE_RATE
    found = one(labels, Answers([False] * 200), Answers([True] * 50 + [False] * 150), measure)
    assert found.change is Change.REGRESSION
    back = one(labels, Answers([True] * 50 + [False] * 150), Answers([False] * 200), measure)
    assert back.change is Change.IMPROVEMENT


def test_a_figure_that_one_run_lacks_is_incomparable_with_the_reason() -> None:
    labels: Labels = [True, False, True, False]
    first = Answers([True] * 4, [0.9, 0.1, 0.8, 0.2])
    found = one(labels, first, Answers([True] * 4), PR_AUC)
    assert found.change is Change.INCOMPARABLE
    assert "score" in found.difference.reason


def test_ranks_are_compared_on_the_rows_that_both_runs_scored() -> None:
    labels: Labels = [True, True, False, False]
    first = Answers([True] * 4, [0.9, 0.1, 0.5, 0.2])
    second = Answers([True] * 4, [0.9, None, 0.5, 0.2])
    assert one(labels, first, second, PR_AUC).difference.value == 0.0


def test_runs_that_err_alike_are_told_apart_better_than_their_intervals_overlap() -> None:
    random = np.random.default_rng(3)
    labels: Labels = [True] * 300
    first = [bool(it) for it in random.random(300) < 0.6]
    missed = [flag and number % 12 > 0 for number, flag in enumerate(first)]
    found = one(labels, Answers(first), Answers(missed), RECALL)
    assert found.change is Change.REGRESSION
    assert found.difference.value is not None
    assert found.difference.value > -0.1
