"""The whole round: judged, fitted, judged again as a probability, and nothing fitted twice."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import afterguard
from tests.evaluation.runs import HARASSMENT, judged, row
from tests.evaluation.scored import boastful
from tests.flow.judges import ScriptedJudge
from tests.samples import answered

from afterguard.evaluation.bench import Case, open_bench
from afterguard.evaluation.measures import brier
from afterguard.evaluation.results import Result, read_results, result_of
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.policy.calibration_document import read_calibration
from afterguard.settings import Settings

LABELS, SCORES = boastful(400)
ROWS = [
    row(number, text=f"text {number}", expected={"harassment": label})
    for number, label in enumerate(LABELS)
]


def says(asked: JudgeRequest) -> Judgement:
    """The score of the row whose text is asked about."""
    score = SCORES[int(asked.content.split()[-1])]
    return answered(score >= 0.5, *(["H1"] if score >= 0.5 else []), score=score)


async def judged_again(calibrations: Path) -> list[Result]:
    settings = Settings(policies={"calibration": calibrations})
    async with open_bench(settings, judge=ScriptedJudge(says)) as bench:
        found: list[Result] = []
        for it in ROWS:
            (finding,) = await bench.findings(Case(it.row_id, it.event, (HARASSMENT,)))
            found.append(
                result_of(it, finding, judge="model", engine="scripted", model="scripted-1")
            )
        return found


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and the folder of what was fitted on it."""
    folder = tmp_path_factory.mktemp("round")
    run = judged(folder / "run", ROWS, says)
    told = afterguard("eval", "calibrate", "--run", run, "--out", folder / "calibration")
    assert told.code == 0
    return run, folder / "calibration"


def figures(results: list[Result]) -> dict[str, Any]:
    return {
        "raw": [it.raw_score for it in results],
        "brier": brier([it.expected for it in results], [it.score for it in results]).value,
        "calibrated": {it.score_calibrated for it in results},
    }


def test_judged_again_the_same_rows_have_probabilities(fitted: tuple[Path, Path]) -> None:
    run, calibrations = fitted
    before = figures(sorted(read_results(run), key=lambda it: int(it.row_id[2:])))
    after = figures(asyncio.run(judged_again(calibrations)))
    assert (before["calibrated"], after["calibrated"]) == ({False}, {True})
    assert after["raw"] == before["raw"] == SCORES
    assert after["brier"] < before["brier"]


def test_what_is_written_says_what_held_out_folds_bore_out(fitted: tuple[Path, Path]) -> None:
    (fit,) = read_calibration(fitted[1] / "harassment.json").fits
    after = figures(asyncio.run(judged_again(fitted[1])))
    assert after["brier"] == pytest.approx(fit.after.brier, abs=0.02)
    assert (fit.version, fit.rows, fit.positives) == (HARASSMENT.version, 400, sum(LABELS))
