"""`afterguard eval calibrate`: fits the results of a run, says how far off scores were, saves."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.cli.commands import Told, afterguard
from tests.evaluation.scored import TEXT, boastful, result
from tests.samples import policy

from afterguard.contracts.words import Effort, Outcome
from afterguard.evaluation.results import Result, ResultLog
from afterguard.policy.calibration import FittedScores
from afterguard.policy.calibration_document import read_calibration

WANTS = ("--want", "precision=0.7", "--want", "recall=0.9")


def run_of(folder: Path, results: list[Result]) -> Path:
    folder.mkdir(exist_ok=True)
    with ResultLog(folder) as log:
        log.append(results)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 1,500 rows whose scores boast."""
    labels, scores = boastful(1_500)
    rows = zip(labels, scores, strict=True)
    results = [result(number, label, score) for number, (label, score) in enumerate(rows)]
    unanswered = result(1_500, True, None, outcome=Outcome.TRUNCATED)
    return run_of(tmp_path_factory.mktemp("run"), [*results, result(1_501, None, 0.4), unanswered])


def calibrated(run: Path, *arguments: str | Path) -> Told:
    return afterguard("eval", "calibrate", "--run", run, *arguments)


def as_json(told: Told) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(told.out)
    return found


def test_what_is_written_is_what_a_worker_applies(run: Path, tmp_path: Path) -> None:
    told = calibrated(run, "--out", tmp_path)
    assert told.code == 0
    assert f"written: {tmp_path / 'harassment.json'}" in told.out
    scores = FittedScores("scripted-1", [read_calibration(tmp_path / "harassment.json")])
    (fit,) = read_calibration(tmp_path / "harassment.json").fits
    assert (fit.reads, fit.effort, fit.rows) == (TEXT, Effort.LOW, 1_500)
    assert scores.calibrated(0.9, policy(), Effort.LOW) is None  # of another text


def test_before_and_after_and_the_curve_are_shown(run: Path) -> None:
    told = calibrated(run, "--dry-run", *WANTS)
    assert "left out: 1 of unknown label, 1 without a score" in told.out
    assert "Brier" in told.out
    assert "fitted, on folds not fitted on" in told.out
    assert "│" in told.out
    assert "precision of at least 0.7: from 0." in told.out
    assert "held-out folds" in told.out
    assert "    threshold: 0." in told.out
    assert "written" not in told.out


def test_for_machines_it_is_one_object(run: Path, tmp_path: Path) -> None:
    (found,) = as_json(calibrated(run, "--out", tmp_path, "--json", *WANTS))["policies"]
    assert (found["unknown"], found["unscored"]) == (1, 1)
    assert found["fit"]["after"]["brier"] < found["fit"]["before"]["brier"]
    assert found["front_matter"][0].startswith("threshold: ")
    assert [it["want"] for it in found["fit"]["thresholds"]] == ["precision", "recall"]
    assert Path(found["file"]).exists()


def test_results_may_be_named_instead_of_their_folder(run: Path) -> None:
    assert calibrated(run / "results.jsonl", "--dry-run").code == 0


def test_other_efforts_of_the_file_are_kept(run: Path, tmp_path: Path) -> None:
    labels, scores = boastful(400)
    rows = enumerate(zip(labels, scores, strict=True))
    high = [result(number, label, score, effort="high") for number, (label, score) in rows]
    for each in (run, run_of(tmp_path / "high", high), run):
        assert calibrated(each, "--out", tmp_path / "out").code == 0
    fits = read_calibration(tmp_path / "out" / "harassment.json").fits
    assert sorted(fit.effort for fit in fits) == ["high", "low"]


def test_too_few_rows_are_told_and_written_nowhere(tmp_path: Path) -> None:
    few = run_of(tmp_path / "run", [result(0, True, 0.9), result(1, False, 0.1)])
    told = calibrated(few, "--out", tmp_path / "out")
    assert told.code == 1
    assert "it takes 10 of each" in told.out
    assert not (tmp_path / "out").exists()
    (found,) = as_json(calibrated(few, "--out", tmp_path / "out", "--json"))["policies"]
    assert found["fit"] is None


def test_a_run_of_combined_prompts_is_refused(run: Path, tmp_path: Path) -> None:
    combined = run_of(tmp_path / "run", [result(0, True, 0.9)])
    record = {
        "began_at": "2026-01-05T12:00:00Z",
        "policies": [],
        "data": [],
        "engine": {
            "kind": "null",
            "model": "m",
            "format": "harmony",
            "structured": True,
            "temperature": 0,
            "max_model_len": 1,
            "max_content_tokens": 1,
            "reasoning_max_tokens": {},
            "args_sha256": "",
        },
        "judges": ["model"],
        "prompt": "combined",
    }
    (combined / "run.json").write_bytes(orjson.dumps(record))
    told = calibrated(combined, "--dry-run")
    assert told.code == 78
    assert "combined prompts" in told.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--want", "precision"), "--want precision: write precision=0.95"),
        (("--want", "speed=0.5"), "--want speed=0.5"),
        (("--want", "recall=1"), "below 1"),
        (("--policy", "spam"), "not in this run: spam; there are harassment"),
        (("--method", "magic"), "there are auto, platt, isotonic"),
    ],
)
def test_a_wish_that_cannot_be_is_told(run: Path, arguments: tuple[str, ...], told: str) -> None:
    found = calibrated(run, "--dry-run", *arguments)
    assert found.code == 78
    assert told in found.err


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    found = calibrated(tmp_path, "--dry-run")
    assert found.code == 78
    assert "holds no results.jsonl" in found.err


def test_somewhere_to_write_is_asked_for_when_no_folder_is_set(run: Path) -> None:
    found = calibrated(run)
    assert found.code == 78
    assert "--out" in found.err
