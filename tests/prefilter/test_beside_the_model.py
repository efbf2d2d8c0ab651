"""A classifier beside the model on the same rows: each answers for itself."""

import asyncio
from pathlib import Path

import pytest
from tests.evaluation.runs import row
from tests.flow.judges import ScriptedJudge
from tests.prefilter.rows import rows
from tests.samples import answered, policy

from afterguard.contracts.words import Outcome
from afterguard.engine.settings import EngineSettings
from afterguard.evaluation.bench import open_bench
from afterguard.evaluation.results import CLASSIFIER, MODEL, ResultLog, read_results
from afterguard.evaluation.run import sit
from afterguard.evaluation.selection import tasks
from afterguard.prefilter.artefact import Artefact
from afterguard.prefilter.settings import PrefilterSettings
from afterguard.settings import Settings

TEXTS, SELLS = rows(8, seed=5)


@pytest.mark.parametrize("judges", [[MODEL, CLASSIFIER], [CLASSIFIER, MODEL]])
async def test_both_judge_each_row_whoever_comes_first(
    fitted: Artefact, tmp_path: Path, judges: list[str]
) -> None:
    selling = policy(
        judge="classifier", classifier={"name": "sellers", "target_precision": 0.5, "rule": "H1"}
    )
    chosen = [
        row(number, text=text, expected={"harassment": sells})
        for number, (text, sells) in enumerate(zip(TEXTS, SELLS, strict=True))
    ]
    settings = Settings(
        engine=EngineSettings(kind="null"),
        prefilter=PrefilterSettings(directory=fitted.folder.parent, timeout_s=120),
    )
    model = ScriptedJudge(answered(False))
    with ResultLog(tmp_path) as log:
        left = list(tasks(chosen, [selling], judges, (), together=False, unlabelled_too=False))
        async with open_bench(settings, judge=model) as bench:
            await sit(
                bench, left, log, asyncio.Event(), engine="scripted", model="scripted-1", at_once=2
            )
    results = read_results(tmp_path)
    by_model = [it for it in results if it.judge == MODEL]
    by_classifier = [it for it in results if it.judge == CLASSIFIER]
    assert len(model.requests) == len(by_model) == len(by_classifier) == len(TEXTS)
    assert {it.outcome for it in by_model} == {Outcome.NO_VIOLATION}
    assert [it.flagged for it in by_classifier] == SELLS
    assert {it.engine for it in by_classifier} == {"classifier"}
