"""Bootstrap: intervals from whole groups, repeatable, with a reason where there are none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from tests.evaluation.labelled import Answers, answers

from afterguard.evaluation.bootstrap import intervals, weightings
from afterguard.evaluation.measures import confusion
from afterguard.evaluation.weighted import Measure, figure, rows_of, weighted

ALL = list(Measure)


@given(answers(), st.integers(0, 2**32 - 1))
def test_a_weight_counts_a_row_that_often(rows: Answers, seed: int) -> None:
    found = rows_of(*rows)
    weights = np.random.default_rng(seed).integers(0, 4, (1, len(found.labels)))
    repeats = weights[0]
    repeated = rows_of(
        [bool(it) for it in np.repeat(found.labels, repeats)],
        [bool(it) for it in np.repeat(found.flags, repeats)],
        [None if math.isnan(it) else it for it in np.repeat(found.scores, repeats)],
    )
    for measure, (value,) in weighted(ALL, found, weights.astype(np.float64)).items():
        again = figure(measure, repeated).value
        assert again is None if math.isnan(value) else again == pytest.approx(value)


@given(answers())
def test_a_figure_of_arrays_is_that_of_the_measures(rows: Answers) -> None:
    found, counts = rows_of(*rows), confusion(rows.labels, rows.flags)
    for measure in (Measure.PRECISION, Measure.RECALL, Measure.F1, Measure.FALSE_POSITIVE_RATE):
        one, two = figure(measure, found), getattr(counts, measure)
        assert one.value == pytest.approx(two.value)
        assert one.reason == two.reason


@given(answers(), st.integers(0, 2**32 - 1))
def test_weighted_ranks_are_those_of_scikit_learn(rows: Answers, seed: int) -> None:
    found = rows_of(*rows)
    weights = np.random.default_rng(seed).uniform(0.1, 2, (2, len(found.labels)))
    has = ~np.isnan(found.scores)
    labels, scores = found.labels[has], found.scores[has]
    if not labels.any() or labels.all():
        return
    for measure, theirs in (
        (Measure.PR_AUC, metrics.average_precision_score),
        (Measure.ROC_AUC, metrics.roc_auc_score),
    ):
        expected = [theirs(labels, scores, sample_weight=line[has]) for line in weights]
        assert list(weighted([measure], found, weights)[measure]) == pytest.approx(expected)


@settings(max_examples=30)
@given(answers(), st.integers(0, 9))
def test_an_interval_rises_and_equal_seeds_agree(rows: Answers, seed: int) -> None:
    found = rows_of(*rows)
    first = intervals(found, ALL, resamples=60, seed=seed)
    assert first == intervals(found, ALL, resamples=60, seed=seed)
    for interval in first.values():
        assert (interval.low is None) == (interval.high is None)
        assert interval.low is not None or interval.reason
        if interval.low is not None and interval.high is not None:
            assert 0 <= interval.low <= interval.high <= 1


@settings(max_examples=30)
@given(answers())
def test_rows_of_one_group_are_drawn_together(rows: Answers) -> None:
    found = rows_of(*rows)
    for weights in weightings(found, resamples=8, seed=1):
        for group in range(found.group_count):
            of_group = weights[:, found.groups == group]
            assert (of_group == of_group[:, :1]).all()
        sizes = np.bincount(found.groups)
        assert len(weights[0]) == sizes.sum()


def test_one_group_alone_has_no_interval() -> None:
    found = rows_of([True, False], [True, False], groups=["c-1", "c-1"])
    interval = intervals(found, [Measure.F1])[Measure.F1]
    assert interval.low is None
    assert "two groups" in interval.reason


def test_resamples_that_all_agree_are_called_no_certainty() -> None:
    found = rows_of([True] * 4, [True] * 4)
    interval = intervals(found, [Measure.RECALL], resamples=50)[Measure.RECALL]
    assert (interval.low, interval.high) == (1.0, 1.0)
    assert "no certainty" in interval.reason


def test_a_figure_that_few_resamples_have_gets_no_interval() -> None:
    found = rows_of([False] * 30, [True] + [False] * 29)
    assert intervals(found, [Measure.RECALL])[Measure.RECALL].low is None


def test_doubled_rows_in_their_groups_leave_the_interval_as_wide() -> None:
    random = np.random.default_rng(5)
    labels = [bool(it) for it in random.random(80) < 0.4]
    flags = [label if random.random() < 0.8 else not label for label in labels]
    once = intervals(rows_of(labels, flags), [Measure.F1])[Measure.F1]
    groups = [*range(80), *range(80)]
    doubled = rows_of(labels * 2, flags * 2, groups=groups)
    twice = intervals(doubled, [Measure.F1])[Measure.F1]
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_an_interval_of_95_percent_holds_the_truth_about_so_often() -> None:
    held = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        labels = [True] * 150
        flags = [bool(it) for it in random.random(150) < 0.8]
        found = intervals(rows_of(labels, flags), [Measure.RECALL], resamples=300, seed=seed)
        interval = found[Measure.RECALL]
        assert interval.low is not None
        assert interval.high is not None
        held += interval.low <= 0.8 <= interval.high
    assert 88 <= held <= 100
