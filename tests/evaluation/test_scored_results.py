"""Results become rows to fit on: raw scores, known labels, a set for each thing to be fitted."""

from tests.evaluation.scored import result

from afterguard.contracts.words import Effort, Outcome
from afterguard.evaluation.scored_results import scored_rows


def test_rows_without_a_label_or_a_score_are_counted_and_left_out() -> None:
    failed = result(2, True, None, outcome=Outcome.FAILED)
    (rows,) = scored_rows([result(0, True, 0.9), result(1, None, 0.1), failed])
    assert (rows.labels, rows.scores) == ([True], [0.9])
    assert (rows.unknown, rows.unscored) == (1, 1)


def test_the_model_s_own_score_is_taken_from_a_calibrated_run() -> None:
    calibrated = result(0, True, 0.6, raw_score=0.99, score_calibrated=True)
    (rows,) = scored_rows([calibrated])
    assert rows.scores == [0.99]


def test_each_text_model_and_effort_is_a_set_of_its_own() -> None:
    results = [
        result(0, True, 0.9),
        result(1, True, 0.9, effort=Effort.HIGH),
        result(2, True, 0.9, model="other"),
        result(3, True, 0.9, policy_reads="fedcba9876543210"),
        result(4, True, 0.9, policy_version="00000000000000bb"),
    ]
    assert sorted(len(rows.labels) for rows in scored_rows(results)) == [1, 1, 1, 2]


def test_what_no_model_judged_is_not_fitted() -> None:
    classified = result(0, True, 0.9, judge="classifier")
    unasked = result(1, True, None, effort=None, outcome=Outcome.SKIPPED)
    assert scored_rows([classified, unasked]) == []


def test_rows_that_are_alike_share_a_group() -> None:
    results = [
        result(0, True, 0.9, alike=("text:a", "row:0")),
        result(1, False, 0.1, alike=("text:b", "row:1")),
        result(2, True, 0.8, alike=("text:a", "row:2")),
    ]
    (rows,) = scored_rows(results)
    assert list(rows.groups) == [0, 1, 0]


def test_rows_that_second_looks_have_sorted_are_marked() -> None:
    looked = [result(0, True, 0.9), result(1, True, 0.9, effort=Effort.HIGH)]
    assert [rows.selected for rows in scored_rows(looked)] == [True, True]
    assert [rows.selected for rows in scored_rows(looked[:1])] == [False]
