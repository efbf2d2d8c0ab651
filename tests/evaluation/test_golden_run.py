"""A golden run: how rows are graded, what flips, and what makes a set pass."""

from collections.abc import Callable

import pytest
from tests.flow.judges import Answer, ScriptedJudge
from tests.samples import answered, chat_event, policy

from afterguard.contracts.errors import EngineDead
from afterguard.contracts.words import Outcome, Reason
from afterguard.evaluation.bench import open_bench
from afterguard.evaluation.golden_run import GoldenReport, Grade, grade, run_golden
from afterguard.flow.findings import Finding, Reading
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest
from afterguard.policy.labelled import LabelledRow
from afterguard.settings import Settings

BAND = policy(uncertain=[0.4, 0.6])
NO_ANSWER = Judgement(JudgementStatus.UNPARSEABLE)
DOUBT = answered(True, "H1", score=0.5)


def row(
    row_id: str, *, expected: bool = True, of: str | None = None, rule: str = ""
) -> LabelledRow:
    return LabelledRow(
        row_id,
        chat_event(content=row_id, event_id=row_id),
        {"harassment": expected},
        {"harassment": (rule,)} if rule else {},
        ("base64",) if of else ("border",),
        variant_of=of,
    )


def by_text(answers: dict[str, Answer]) -> Callable[[JudgeRequest], Answer]:
    return lambda request: answers[request.content.splitlines()[-1]]


async def run(
    answers: dict[str, Answer], *rows: LabelledRow, least: float = 1.0, most_flips: float = 0.1
) -> GoldenReport:
    judge = ScriptedJudge(by_text(answers))
    async with open_bench(Settings(), judge=judge) as bench:
        return await run_golden(bench, BAND, rows, least=least, most_flips=most_flips)


async def test_a_set_passes_when_every_row_of_its_own_is_right() -> None:
    answers: dict[str, Answer] = {"a": answered(True, "H1"), "b": answered(False)}
    report = await run(answers, row("a"), row("b", expected=False))
    assert report.passes
    assert report.failing == ()
    assert [it.grade for it in report.rows] == [Grade.RIGHT, Grade.RIGHT]


@pytest.mark.parametrize(
    ("answer", "expected", "told"),
    [
        (answered(False), True, Grade.WRONG),
        (answered(True, "H1"), False, Grade.WRONG),
        (answered(True, "H1"), True, Grade.WRONG_RULE),
        (answered(True), True, Grade.WRONG_RULE),
        (DOUBT, True, Grade.UNCERTAIN),
        (DOUBT, False, Grade.UNCERTAIN),
        (NO_ANSWER, True, Grade.UNANSWERED),
        (NO_ANSWER, False, Grade.UNANSWERED),
    ],
)
async def test_one_row_that_is_not_right_fails_the_set_and_is_shown(
    answer: Answer, expected: bool, told: Grade
) -> None:
    first = row("a", expected=expected, rule="H2" if expected else "")
    report = await run({"a": answer}, first)
    assert not report.passes
    assert [(it.row.row_id, it.grade) for it in report.failing] == [("a", told)]


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("expected", [True, False])
def test_only_the_expected_answer_of_the_model_is_right(outcome: Outcome, expected: bool) -> None:
    right = Outcome.VIOLATION if expected else Outcome.NO_VIOLATION
    found = Finding(Reading(outcome, Reason.NO_ANSWER))
    assert (grade(found, expected=expected) is Grade.RIGHT) is (outcome is right)


async def test_a_citation_of_any_named_rule_is_enough() -> None:
    first = row("a")._replace(rules={"harassment": ("H1", "H2")})
    assert (await run({"a": answered(True, "H2")}, first)).passes


@pytest.mark.parametrize(("least", "passes"), [(1.0, False), (0.5, True), (0.51, False)])
async def test_how_many_rows_must_be_right_can_be_said(least: float, passes: bool) -> None:
    answers: dict[str, Answer] = {"a": answered(True, "H1"), "b": answered(True, "H1")}
    report = await run(answers, row("a"), row("b", expected=False), least=least)
    assert report.passes is passes


async def test_a_variant_flips_when_its_outcome_differs_from_its_row_s_whatever_is_right() -> None:
    answers: dict[str, Answer] = {
        "a": answered(True, "H1"),
        "a~1": answered(False),
        "a~2": answered(True, "H2"),
        "b": answered(False),
        "b~1": answered(False),
        "b~2": DOUBT,
    }
    rows = [row("a"), row("a~1", of="a"), row("a~2", of="a")]
    rows += [row("b"), row("b~1", of="b"), row("b~2", of="b")]
    report = await run(answers, *rows)
    assert {it.row.row_id: it.flipped for it in report.variants} == {
        "a~1": True,
        "a~2": False,
        "b~1": False,
        "b~2": True,
    }
    assert (report.flips, report.escapes) == ((2, 4), (1, 2))


@pytest.mark.parametrize(("most", "passes"), [(0.0, False), (0.49, False), (0.5, True)])
async def test_too_many_flips_fail_a_set_whose_own_rows_are_right(
    most: float, passes: bool
) -> None:
    answers: dict[str, Answer] = {
        "a": answered(True, "H1"),
        "a~1": answered(False),
        "a~2": answered(True, "H1"),
    }
    rows = [row("a"), row("a~1", of="a"), row("a~2", of="a")]
    report = await run(answers, *rows, most_flips=most)
    assert report.right.value == 1.0
    assert report.passes is passes


async def test_a_variant_of_a_row_without_an_answer_is_not_compared_but_shown() -> None:
    answers: dict[str, Answer] = {"a": NO_ANSWER, "a~1": answered(True, "H1")}
    report = await run(answers, row("a"), row("a~1", of="a"))
    assert report.flips == (0, 0)
    assert [it.row.row_id for it in report.failing] == ["a", "a~1"]


async def test_a_variant_that_keeps_the_judge_from_answering_has_flipped() -> None:
    answers: dict[str, Answer] = {"a": answered(True, "H1"), "a~1": NO_ANSWER}
    report = await run(answers, row("a"), row("a~1", of="a"))
    assert report.flips == (1, 1)
    assert report.escapes == (0, 1)


async def test_a_set_of_variants_alone_does_not_pass() -> None:
    report = await run({"a~1": answered(True, "H1")}, row("a~1", of="a"))
    assert not report.passes


async def test_figures_are_given_by_tag() -> None:
    answers: dict[str, Answer] = {"a": answered(True, "H1"), "a~1": answered(False)}
    figures = (await run(answers, row("a"), row("a~1", of="a"))).by_tag()
    assert (figures["border"].right, figures["border"].flips) == ((1, 1), (0, 0))
    assert (figures["base64"].right, figures["base64"].flips) == ((0, 1), (1, 1))


async def test_the_scores_for_the_history_hold_figures_and_no_text() -> None:
    answers: dict[str, Answer] = {"secret words": answered(False)}
    scores = (await run(answers, row("secret words"))).scores()
    assert scores | {"seconds": 0} == {
        "passes": False, "rows": 1, "variants": 0, "right": 0, "wrong": 1, "wrong_rule": 0,
        "uncertain": 0, "unanswered": 0, "accuracy": 0.0, "flips": 0, "flip_rate": None,
        "escapes": 0, "escape_rate": None, "least": 1.0, "most_flips": 0.1,
        "prompt_tokens": 10, "output_tokens": 5, "seconds": 0,
    }  # fmt: skip


async def test_progress_is_told_after_each_row() -> None:
    told: list[tuple[int, int]] = []
    judge = ScriptedJudge(answered(True, "H1"))
    async with open_bench(Settings(), judge=judge) as bench:
        rows = [row("a"), row("b")]
        await run_golden(bench, BAND, rows, progress=lambda *it: told.append(it))
    assert told == [(1, 2), (2, 2)]


async def test_an_engine_that_dies_is_told_as_such() -> None:
    with pytest.raises(EngineDead):
        await run({"a": EngineDead("gone"), "b": EngineDead("gone")}, row("a"), row("b"))
