"""Measures: equal to scikit-learn's where they exist, a reason where they do not, no unknown label
ever taken for "no"."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from tests.evaluation.labelled import Answers, answers

from afterguard.evaluation import measures
from afterguard.evaluation.measures import (
    Confusion,
    Figure,
    Labels,
    ScoreRow,
    confusion,
    scored,
)
from afterguard.evaluation.weighted import Measure, figure, rows_of


def pr_auc(labels: Labels, scores: ScoreRow) -> Figure:
    return figure(Measure.PR_AUC, rows_of(labels, [False] * len(labels), scores))


def roc_auc(labels: Labels, scores: ScoreRow) -> Figure:
    return figure(Measure.ROC_AUC, rows_of(labels, [False] * len(labels), scores))


OF_SCORES = [pr_auc, roc_auc, measures.brier, measures.log_loss]


def known(rows: Answers) -> tuple[list[bool], list[bool]]:
    only = rows.only_known()
    return [bool(label) for label in only.labels], only.flags


@given(answers())
def test_counts_cover_each_row_once(rows: Answers) -> None:
    found = confusion(rows.labels, rows.flags)
    assert found.labelled + found.unknown == len(rows.labels)
    assert found.unknown == rows.labels.count(None)


@given(answers())
def test_precision_recall_and_f1_are_those_of_scikit_learn(rows: Answers) -> None:
    labels, flags = known(rows)
    found = confusion(rows.labels, rows.flags)
    if any(flags):
        assert found.precision.value == pytest.approx(metrics.precision_score(labels, flags))
    if any(labels):
        assert found.recall.value == pytest.approx(metrics.recall_score(labels, flags))
    if any(flags) or any(labels):
        assert found.f1.value == pytest.approx(metrics.f1_score(labels, flags))


@given(answers())
def test_a_figure_that_does_not_exist_says_why(rows: Answers) -> None:
    found = confusion(rows.labels, rows.flags)
    figures = [found.precision, found.recall, found.f1, found.false_positive_rate]
    figures += [measure(rows.labels, rows.scores) for measure in OF_SCORES]
    for it in figures:
        assert (it.value is None) == bool(it.reason)
        assert it.value is None or math.isfinite(it.value)


@given(answers())
def test_rows_of_unknown_label_change_no_figure(rows: Answers) -> None:
    only = rows.only_known()
    whole, part = confusion(rows.labels, rows.flags), confusion(only.labels, only.flags)
    assert whole._replace(unknown=0) == part
    for measure in OF_SCORES:
        assert measure(rows.labels, rows.scores) == measure(only.labels, only.scores)


@given(answers())
def test_figures_of_scores_are_those_of_scikit_learn(rows: Answers) -> None:
    found = scored(rows.labels, rows.scores)
    assert len(found.labels) + found.unknown + found.unscored == len(rows.labels)
    if not found.positives or not found.negatives:
        return
    values = [measure(rows.labels, rows.scores).value for measure in OF_SCORES]
    kept = [min(max(score, 1e-6), 1 - 1e-6) for score in found.scores]
    assert values == pytest.approx(
        [
            metrics.average_precision_score(found.labels, found.scores),
            metrics.roc_auc_score(found.labels, found.scores),
            metrics.brier_score_loss(found.labels, found.scores),
            metrics.log_loss(found.labels, kept),
        ]
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=12))
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[bool, int]]) -> None:
    labels, scores = [label for label, _ in rows], [score / 4 for _, score in rows]
    bad = [score for label, score in zip(labels, scores, strict=True) if label]
    good = [score for label, score in zip(labels, scores, strict=True) if not label]
    found = roc_auc(labels, scores)
    if not bad or not good:
        assert found.value is None
        return
    pairs = [(one > two) + (one == two) / 2 for one in bad for two in good]
    assert found.value == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.parametrize(
    ("labels", "flags", "measure", "reason"),
    [
        ([False, False], [False, False], "precision", measures.NOTHING_FLAGGED),
        ([False, False], [True, False], "recall", measures.NO_POSITIVES),
        ([True], [True], "false_positive_rate", measures.NO_NEGATIVES),
        ([None, None], [True, False], "precision", measures.NO_ROWS),
        ([], [], "f1", measures.NO_ROWS),
    ],
)
def test_each_gap_has_its_own_reason(
    labels: list[bool | None], flags: list[bool], measure: str, reason: str
) -> None:
    assert getattr(confusion(labels, flags), measure) == Figure(None, reason)


def test_violations_of_which_none_was_flagged_make_an_f1_of_zero() -> None:
    found = confusion([True, True, False], [False, False, False])
    assert (found.f1.value, found.recall.value, found.precision.value) == (0.0, 0.0, None)


def test_scores_of_rows_of_one_kind_have_no_rank_measure() -> None:
    assert pr_auc([True, True], [0.1, 0.9]).reason == measures.NO_NEGATIVES
    assert roc_auc([False], [0.1]).reason == measures.NO_POSITIVES
    assert measures.brier([True], [None]).reason == measures.NO_SCORES


def test_a_sure_and_wrong_score_costs_much_and_not_everything() -> None:
    assert measures.log_loss([True], [0.0]).value == pytest.approx(-math.log(1e-6))


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        confusion([True, False], [True])


def test_counts_are_named_after_what_they_count() -> None:
    found = confusion([True, False, True, False, None], [True, True, False, False, True])
    assert found == Confusion(1, 1, 1, 1, unknown=1)
    assert (found.positives, found.negatives, found.flagged) == (2, 2, 2)
