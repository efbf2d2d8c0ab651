"""Fitting scores: a known miscalibration is mended, and what rows cannot show is not claimed."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluation.scored import boastful, rows_of_scores

from afterguard.evaluation.fit_scores import CannotBeFitted, Method, fit_scores
from afterguard.evaluation.folds import folds_of
from afterguard.evaluation.measures import brier
from afterguard.evaluation.thresholds import Kind, Want
from afterguard.policy.calibration import curve_of
from afterguard.policy.calibration_document import IsotonicCurve, PlattCurve

NOW = datetime(2026, 1, 5, tzinfo=UTC)


def stepped(rows: int, seed: int = 0) -> tuple[list[bool], list[float]]:
    """Scores of which only "above 0.9" says anything: no logistic curve is like that."""
    random = np.random.default_rng(seed)
    scores = random.random(rows)
    labels = random.random(rows) < np.where(scores > 0.9, 0.9, 0.1)
    return [bool(it) for it in labels], [float(it) for it in scores]


def test_a_logistic_miscalibration_is_undone() -> None:
    fitted = fit_scores(rows_of_scores(*boastful(3_000)), at=NOW, method=Method.PLATT)
    curve = fitted.fit.curve
    assert isinstance(curve, PlattCurve)
    assert curve.slope == pytest.approx(1 / 4, rel=0.1)
    assert curve.intercept == pytest.approx(-1 / 4, abs=0.1)


@pytest.mark.parametrize("method", list(Method))
def test_fitted_scores_are_better_on_rows_that_nobody_fitted_on(method: Method) -> None:
    fitted = fit_scores(rows_of_scores(*boastful(1_500)), at=NOW, method=method)
    assert fitted.fit.after.log_loss < fitted.fit.before.log_loss
    labels, scores = boastful(3_000, seed=9)
    curve = curve_of(fitted.fit.curve)
    mended = brier(labels, [curve(score) for score in scores]).value
    raw = brier(labels, scores).value
    assert mended is not None
    assert raw is not None
    assert mended < raw - 0.02
    assert mended == pytest.approx(fitted.fit.after.brier, abs=0.02)


def test_fitted_scores_promise_what_comes_true() -> None:
    fitted = fit_scores(rows_of_scores(*boastful(3_000)), at=NOW)
    assert max(abs(it.score - it.share) for it in fitted.before) > 0.1
    assert max(abs(it.score - it.share) for it in fitted.fit.reliability) < 0.1


def test_the_method_is_the_one_that_does_better_on_held_out_folds() -> None:
    steps = fit_scores(rows_of_scores(*stepped(2_000)), at=NOW)
    assert isinstance(steps.fit.curve, IsotonicCurve)
    smooth = fit_scores(rows_of_scores(*boastful(800)), at=NOW)
    assert isinstance(smooth.fit.curve, PlattCurve)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.sampled_from([Method.PLATT, Method.ISOTONIC]))
def test_whatever_is_fitted_never_falls_and_stays_within_0_and_1(seed: int, method: Method) -> None:
    fitted = fit_scores(rows_of_scores(*boastful(500, seed)), at=NOW, method=method)
    values = [curve_of(fitted.fit.curve)(score / 200) for score in range(201)]
    assert values == sorted(values)
    assert 0 < values[0] <= values[-1] < 1


@pytest.mark.parametrize(
    ("violations", "others", "method", "told"),
    [
        (9, 500, Method.AUTO, "takes 10 of each"),
        (500, 9, Method.PLATT, "takes 10 of each"),
        (99, 500, Method.ISOTONIC, "takes 100 of each"),
        (0, 0, Method.AUTO, "0 violations and 0 others"),
    ],
)
def test_too_few_rows_are_refused(violations: int, others: int, method: Method, told: str) -> None:
    labels = [True] * violations + [False] * others
    scores = [0.9] * violations + [0.1] * others
    with pytest.raises(CannotBeFitted, match=told):
        fit_scores(rows_of_scores(labels, scores), at=NOW, method=method)


def test_few_rows_are_fitted_with_a_warning_and_never_by_steps() -> None:
    labels, scores = boastful(60)
    fitted = fit_scores(rows_of_scores(labels, scores), at=NOW)
    assert isinstance(fitted.fit.curve, PlattCurve)
    assert any("weak fit" in it for it in fitted.warnings)


def test_rows_that_second_looks_have_sorted_are_warned_about() -> None:
    fitted = fit_scores(rows_of_scores(*boastful(400), selected=True), at=NOW)
    assert any("second looks" in it for it in fitted.warnings)


def test_scores_that_are_honest_already_are_warned_about() -> None:
    labels, scores = boastful(1_000, boast=1.0)
    odds = [np.log(score / (1 - score)) - 1 for score in scores]
    honest = [float(1 / (1 + np.exp(-it))) for it in odds]
    fitted = fit_scores(rows_of_scores(labels, honest), at=NOW, method=Method.ISOTONIC)
    assert any("no better" in it for it in fitted.warnings)


@pytest.mark.parametrize("method", list(Method))
def test_scores_that_run_the_wrong_way_are_refused(method: Method) -> None:
    labels, scores = boastful(1_000)
    with pytest.raises(CannotBeFitted, match="do not score higher"):
        fit_scores(rows_of_scores([not it for it in labels], scores), at=NOW, method=method)


def test_one_conversation_is_no_ground_to_check_on() -> None:
    labels, scores = boastful(200)
    with pytest.raises(CannotBeFitted, match="to hold some out"):
        fit_scores(rows_of_scores(labels, scores, groups=[0] * 200), at=NOW)


def test_a_fit_tells_what_it_was_made_of() -> None:
    labels, scores = boastful(400)
    rows = rows_of_scores(labels, scores)
    fit = fit_scores(rows, at=NOW).fit
    assert (fit.rows, fit.positives, fit.fitted_at) == (400, sum(labels), NOW)
    assert (fit.version, fit.reads, fit.model, fit.effort) == rows[1:5]
    turned = rows_of_scores(labels[::-1], scores[::-1])
    assert fit_scores(turned, at=NOW).fit.data == fit.data
    relabelled = rows_of_scores([not labels[0], *labels[1:]], scores)
    assert fit_scores(relabelled, at=NOW).fit.data != fit.data


def test_equal_rows_give_equal_fits() -> None:
    wants = [Want(Kind.PRECISION, 0.8)]
    fits = [fit_scores(rows_of_scores(*boastful(700)), at=NOW, wants=wants).fit for _ in range(2)]
    assert fits[0] == fits[1]


def test_wanted_thresholds_are_chosen_on_probabilities_and_checked() -> None:
    wants = [Want(Kind.PRECISION, 0.7), Want(Kind.RECALL, 0.9)]
    fitted = fit_scores(rows_of_scores(*boastful(3_000)), at=NOW, wants=wants)
    precise, complete = (chosen.threshold for _, chosen, _ in fitted.chosen)
    assert precise is not None
    assert complete is not None
    assert complete < precise
    assert [it.threshold for it in fitted.fit.thresholds] == [precise, complete]
    labels, scores = boastful(5_000, seed=7)
    curve = curve_of(fitted.fit.curve)
    flagged = [
        label for label, score in zip(labels, scores, strict=True) if curve(score) >= precise
    ]
    assert sum(flagged) / len(flagged) >= 0.7


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), max_size=40))
def test_folds_never_part_a_group_and_leave_both_kinds_outside(
    rows: list[tuple[bool, int]],
) -> None:
    labels, groups = [label for label, _ in rows], [group for _, group in rows]
    folds = folds_of(labels, groups)
    if folds is None:
        return
    assert sorted(row for fold in folds for row in fold) == list(range(len(rows)))
    for fold in folds:
        outside = [row for row in range(len(rows)) if row not in fold]
        assert {labels[row] for row in outside} == {True, False}
        assert not {groups[row] for row in fold} & {groups[row] for row in outside}
