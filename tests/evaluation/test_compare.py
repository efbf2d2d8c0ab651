"""Comparison of runs: on the rows of both alone, and worse only when it is so for certain."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.evaluation.runs import HARASSMENT, HATE, judged, row
from tests.samples import answered, policy

from afterguard.contracts.errors import SettingsError
from afterguard.evaluation.compare import ALL, compare_runs
from afterguard.evaluation.paired import Change
from afterguard.evaluation.weighted import Measure
from afterguard.flow.ports import Judgement, JudgeRequest

FEW = 200
ROWS = [row(number, expected={"harassment": number % 2 == 0}) for number in range(40)]


def right(request: JudgeRequest) -> Judgement:
    """The right answer to each row."""
    return answered(int(request.content.split()[-1]) % 2 == 0, *("H1",) * _even(request))


def blind(request: JudgeRequest) -> Judgement:
    """Right, but for violations of numbers that end in 0, 2 and 4."""
    if int(request.content.split()[-1]) % 10 in {0, 2, 4}:
        return answered(False)
    return right(request)


def _even(request: JudgeRequest) -> int:
    return int(int(request.content.split()[-1]) % 2 == 0)


@pytest.fixture
def runs(tmp_path: Path) -> Callable[..., Path]:
    """Makes runs of the same rows."""

    def make(name: str, script: Callable[[JudgeRequest], Judgement], many: int = 40) -> Path:
        return judged(tmp_path / name, ROWS[:many], script)

    return make


def test_a_fall_of_recall_beyond_chance_is_a_regression(runs: Callable[..., Path]) -> None:
    found = compare_runs(runs("one", right), runs("two", blind), resamples=FEW)
    (part,) = found.compared
    assert found.regressed
    assert {it.measure for it in part.regressions} == {Measure.RECALL, Measure.F1}
    assert (part.only_first_right, part.only_second_right, part.pairs) == (12, 0, 40)
    assert part.p < 0.01


def test_more_false_alarms_are_a_regression_where_precision_does_not_exist(
    runs: Callable[..., Path],
) -> None:
    found = compare_runs(
        runs("one", lambda _: answered(False)),
        runs("two", lambda it: answered(not _even(it))),
        resamples=FEW,
    )
    assert {it.measure for it in found.compared[0].regressions} == {Measure.FALSE_POSITIVE_RATE}


def test_a_rise_is_no_regression(runs: Callable[..., Path]) -> None:
    found = compare_runs(runs("one", blind), runs("two", right), resamples=FEW)
    assert not found.regressed
    changes = {it.measure: it.change for it in found.compared[0].lines}
    assert changes[Measure.RECALL] is Change.IMPROVEMENT


def test_a_fall_within_the_tolerance_does_not_matter(runs: Callable[..., Path]) -> None:
    found = compare_runs(runs("one", right), runs("two", blind), tolerance=0.7, resamples=FEW)
    assert not found.regressed


def test_a_fall_that_chance_may_explain_is_told_and_is_none(runs: Callable[..., Path]) -> None:
    found = compare_runs(runs("one", right, 4), runs("two", blind, 4), resamples=FEW)
    one_less = compare_runs(
        runs("three", right),
        runs("four", lambda it: answered(False) if it.content.endswith(" 0") else right(it)),
        tolerance=0.0,
        resamples=FEW,
    )
    assert found.compared[0].pairs == 4
    changes = {it.measure: it.change for it in one_less.compared[0].lines}
    assert changes[Measure.RECALL] is Change.UNPROVEN_DROP
    assert not one_less.regressed


def test_only_rows_that_both_have_judged_are_compared(runs: Callable[..., Path]) -> None:
    found = compare_runs(runs("one", right), runs("two", blind, 10), resamples=FEW)
    assert found.compared[0].pairs == 10
    assert (found.only_in_first, found.only_in_second) == (30, 0)


def test_a_row_whose_text_has_changed_is_left_out_and_counted(tmp_path: Path) -> None:
    mended = [row(0, text="text 8", expected={"harassment": True}), *ROWS[1:6]]
    found = compare_runs(
        judged(tmp_path / "one", ROWS[:6], right),
        judged(tmp_path / "two", mended, right),
        resamples=FEW,
    )
    assert (found.changed_texts, found.compared[0].pairs) == (1, 5)


def test_rows_without_a_label_are_not_compared(tmp_path: Path) -> None:
    rows = [*ROWS[:6], row(6, expected={})]
    folders = [judged(tmp_path / name, rows, right, unlabelled_too=True) for name in ("one", "two")]
    assert compare_runs(*folders, resamples=FEW).compared[0].pairs == 6


def test_a_second_run_that_is_not_at_its_end_says_what_is_missing(
    runs: Callable[..., Path],
) -> None:
    one, two = runs("one", right), runs("two", right)
    lines = (two / "results.jsonl").read_bytes().splitlines(keepends=True)
    (two / "results.jsonl").write_bytes(b"".join(lines[:30]))
    assert compare_runs(one, two, resamples=FEW).missing == 10


def test_how_the_runs_differ_is_told_and_does_not_hinder(tmp_path: Path) -> None:
    later = policy(version="00000000000000ff")
    found = compare_runs(
        judged(tmp_path / "one", ROWS[:6], right),
        judged(tmp_path / "two", ROWS[:6], right, (later,)),
        resamples=FEW,
    )
    assert found.differences == ("policies.0.version: 00000000000000aa -> 00000000000000ff",)
    assert found.compared[0].versions == ("00000000000000aa", "00000000000000ff")


def test_several_policies_are_compared_one_by_one_and_together(tmp_path: Path) -> None:
    rows = [row(n, expected={"harassment": n % 2 == 0, "hate": False}) for n in range(6)]
    folders = [judged(tmp_path / name, rows, right, (HARASSMENT, HATE)) for name in ("one", "two")]
    found = compare_runs(*folders, resamples=FEW)
    assert {it.policy: it.pairs for it in found.compared} == {"harassment": 6, "hate": 6, ALL: 12}


def test_runs_without_a_row_in_common_are_told(tmp_path: Path) -> None:
    folders = [
        judged(tmp_path / "one", ROWS[:3], right),
        judged(tmp_path / "two", ROWS[3:6], right),
    ]
    with pytest.raises(SettingsError, match="no labelled row and policy in common"):
        compare_runs(*folders)
