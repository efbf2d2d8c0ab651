"""A run: each row is judged once, whatever ends a sitting, and a failure is an outcome."""

import asyncio
from pathlib import Path

import pytest
from tests.evaluation.runs import HARASSMENT, HATE, left_of, row, sitting
from tests.flow.judges import HeldJudge, ScriptedJudge
from tests.samples import answered

from afterguard.contracts.errors import EngineDead, RequestRefused
from afterguard.contracts.words import Effort, Outcome
from afterguard.evaluation.results import CLASSIFIER, ResultLog, read_results, result_of
from afterguard.evaluation.run import Sitting
from afterguard.flow.findings import Finding, Reading
from afterguard.flow.ports import Judgement, JudgeRequest

ROWS = [row(number) for number in range(6)]


async def test_each_row_has_a_result_that_says_what_came_of_it(tmp_path: Path) -> None:
    judge = ScriptedJudge(answered(True, "H2", "X9", score=0.9))
    with ResultLog(tmp_path) as log:
        done = await sitting(left_of(ROWS, [HARASSMENT], log), log, judge)
    results = read_results(tmp_path)
    assert [it.row_id for it in results] == [it.row_id for it in ROWS]
    first = results[0]
    assert (first.expected, first.outcome, first.score, first.raw_score) == (
        False,
        Outcome.VIOLATION,
        0.9,
        0.9,
    )
    assert (first.rule_ids, first.unknown_rules) == (("H2",), ("X9",))
    assert (first.engine, first.model, first.effort) == ("scripted", "scripted-1", Effort.LOW)
    assert (first.prompt_tokens, first.output_tokens, first.rationale) == (10, 5, "because")
    assert (done.done, done.results, done.prompt_tokens, done.stopped) == (6, 6, 60, False)


async def test_what_is_judged_is_not_judged_again(tmp_path: Path) -> None:
    for rows, asked in ((ROWS[:2], 2), (ROWS, 4), (ROWS, 0)):
        judge = ScriptedJudge(answered(False))
        with ResultLog(tmp_path) as log:
            await sitting(left_of(rows, [HARASSMENT], log), log, judge)
        assert len(judge.requests) == asked
    assert len(read_results(tmp_path)) == 6


async def test_a_sitting_that_is_stopped_keeps_what_was_judged(tmp_path: Path) -> None:
    stop = asyncio.Event()

    def show(so_far: Sitting) -> None:
        if so_far.done == 3:
            stop.set()

    with ResultLog(tmp_path) as log:
        judge = ScriptedJudge(answered(False))
        left = left_of(ROWS, [HARASSMENT], log)
        done = await sitting(left, log, judge, stop=stop, at_once=1, show=show)
    assert done.stopped
    assert 3 <= len(read_results(tmp_path)) < 6
    with ResultLog(tmp_path) as log:
        again = await sitting(left_of(ROWS, [HARASSMENT], log), log, judge)
    assert not again.stopped
    assert len(judge.requests) - len(ROWS) <= 1  # the one that was in the engine


async def test_what_is_in_the_engine_when_a_sitting_is_stopped_is_aborted_there(
    tmp_path: Path,
) -> None:
    stop, judge = asyncio.Event(), HeldJudge(answered(False))
    with ResultLog(tmp_path) as log:
        task = asyncio.create_task(
            sitting(left_of(ROWS, [HARASSMENT], log), log, judge, stop=stop, at_once=3)
        )
        while len(judge.requests) < 3:
            await asyncio.sleep(0)
        stop.set()
        assert (await task).stopped
    assert len(judge.ended) == 3
    assert read_results(tmp_path) == []


async def test_a_row_that_the_engine_refuses_is_an_outcome_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    def script(request: JudgeRequest) -> Judgement | BaseException:
        return RequestRefused("no") if "text 2" in request.content else answered(False)

    with ResultLog(tmp_path) as log:
        done = await sitting(left_of(ROWS, [HARASSMENT], log), log, ScriptedJudge(script))
    outcomes = {it.row_id: it.outcome for it in read_results(tmp_path)}
    assert outcomes.pop("r-2") is Outcome.FAILED
    assert set(outcomes.values()) == {Outcome.NO_VIOLATION}
    assert done.failed == 1


async def test_a_dead_engine_ends_the_sitting_and_keeps_what_was_judged(tmp_path: Path) -> None:
    def script(request: JudgeRequest) -> Judgement | BaseException:
        return EngineDead("gone") if "text 3" in request.content else answered(False)

    with ResultLog(tmp_path) as log, pytest.raises(EngineDead):
        await sitting(left_of(ROWS, [HARASSMENT], log), log, ScriptedJudge(script), at_once=1)
    assert len(read_results(tmp_path)) == 3


async def test_a_dead_engine_is_told_as_such_under_several_policies_at_once(tmp_path: Path) -> None:
    rows = [row(0, expected={"harassment": False, "hate": False})]
    with ResultLog(tmp_path) as log:
        left = left_of(rows, [HARASSMENT, HATE], log, together=True)
        assert len(left[0].policies) == 2
        with pytest.raises(EngineDead):
            await sitting(left, log, ScriptedJudge(EngineDead("gone")))


async def test_only_what_a_label_speaks_of_is_judged_unless_all_is_asked_for(
    tmp_path: Path,
) -> None:
    rows = [
        row(0),
        row(1, expected={"hate": True}),
        row(2, expected={"hate": False, "harassment": False}),
    ]
    with ResultLog(tmp_path) as log:
        labelled = left_of(rows, [HARASSMENT, HATE], log)
        all_of_them = left_of(rows, [HARASSMENT, HATE], log, unlabelled_too=True)
        together = left_of(rows, [HARASSMENT, HATE], log, together=True)
    assert [[it.id for it in task.policies] for task in labelled] == [
        ["harassment"],
        ["hate"],
        ["harassment", "hate"],
    ]
    assert all(len(task.policies) == 2 for task in (*all_of_them, *together))


async def test_a_combined_prompt_that_is_judged_in_part_is_judged_again_whole(
    tmp_path: Path,
) -> None:
    rows = [row(0, expected={"harassment": False, "hate": False})]
    with ResultLog(tmp_path) as log:
        await sitting(left_of(rows, [HARASSMENT], log), log, ScriptedJudge(answered(False)))
        apart = left_of(rows, [HARASSMENT, HATE], log)
        together = left_of(rows, [HARASSMENT, HATE], log, together=True)
    assert [it.id for it in apart[0].policies] == ["hate"]
    assert [it.id for it in together[0].policies] == ["harassment", "hate"]


def test_what_a_classifier_gives_no_score_for_has_failed_and_is_not_clean() -> None:
    # At work the model is asked in its place.
    by_the_model = Finding(Reading(Outcome.NO_VIOLATION), HARASSMENT, judgement=answered(False))
    told = result_of(ROWS[0], by_the_model, judge=CLASSIFIER, engine="vllm", model="m")
    assert told.outcome is Outcome.FAILED
    own = by_the_model._replace(judged_by=("classifier", "sellers"))
    assert result_of(ROWS[0], own, judge=CLASSIFIER, engine="vllm", model="m").outcome is (
        Outcome.NO_VIOLATION
    )
