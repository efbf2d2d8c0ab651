"""Curves: what a plot shows is what was measured."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.labelled import Answers, answers

from afterguard.evaluation.curves import (
    calibration_error,
    precision_recall_curve,
    reliability,
    roc_curve,
)
from afterguard.evaluation.measures import confusion, scored
from afterguard.evaluation.weighted import Measure, figure, rows_of


@given(answers(), st.integers(1, 12))
def test_each_scored_row_is_in_one_bin_and_equal_scores_share_it(rows: Answers, most: int) -> None:
    bins = reliability(rows.labels, rows.scores, most)
    assert len(bins) <= most
    assert sum(it.rows for it in bins) == len(scored(rows.labels, rows.scores).labels)
    for below, above in pairwise(bins):
        assert below.highest < above.lowest
    for it in bins:
        assert it.rows > 0
        assert it.lowest - 1e-12 <= it.score <= it.highest + 1e-12
        assert 0 <= it.low <= it.share <= it.high <= 1


def test_bins_are_about_equally_full() -> None:
    scores = [number / 1_000 for number in range(1_000)]
    assert [it.rows for it in reliability([True] * 1_000, scores, 4)] == [250] * 4


@given(answers())
def test_a_point_is_what_flagging_from_its_threshold_gives(rows: Answers) -> None:
    for point in precision_recall_curve(rows.labels, rows.scores):
        if point.threshold is not None:
            known = scored(rows.labels, rows.scores)
            found = confusion(known.labels, [it >= point.threshold for it in known.scores])
            assert (point.x, point.y) == pytest.approx((found.recall.value, found.precision.value))


@given(answers())
def test_the_roc_curve_runs_from_corner_to_corner_over_its_area(rows: Answers) -> None:
    points = roc_curve(rows.labels, rows.scores)
    area = figure(Measure.ROC_AUC, rows_of(*rows)).value
    assert bool(points) == (area is not None)
    if points:
        assert (points[0][:2], points[-1][:2]) == ((0.0, 0.0), (1.0, 1.0))
        steps = pairwise(points)
        under = sum((b.x - a.x) * (a.y + b.y) / 2 for a, b in steps)
        assert under == pytest.approx(area)


def test_a_curve_of_many_scores_is_thinned_with_its_ends_kept() -> None:
    labels = [number % 3 == 0 for number in range(5_000)]
    points = roc_curve(labels, [(number * 7919 % 5_000) / 5_000 for number in range(5_000)])
    assert len(points) <= 400
    assert (points[0][:2], points[-1][:2]) == ((0.0, 0.0), (1.0, 1.0))


def test_the_error_is_the_mean_distance_of_promise_and_truth() -> None:
    honest = reliability([True, False], [0.5, 0.5])
    boastful = reliability([False] * 10, [0.9] * 10)
    assert calibration_error(honest) == 0.0
    assert calibration_error(boastful) == pytest.approx(0.9)
    assert calibration_error([]) is None
