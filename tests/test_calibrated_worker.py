"""A worker with a calibration: verdicts say so, and thresholds act on probabilities."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.flow.judges import ScriptedJudge
from tests.flow.stores import DictCache
from tests.memory_worker import MemoryWorker, until
from tests.policy.calibrations import calibration
from tests.policy.documents import FRONT, document
from tests.policy.releases import change, text
from tests.samples import admission, answered, input_record, policy

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.judging_room import judging_room
from afterguard.policy.calibration import FittedScores, fitted_scores
from afterguard.policy.calibration_document import write_calibration
from afterguard.policy.document import parse_policy, read_policy
from afterguard.policy.store import Release
from afterguard.policy.store_folder import FolderPolicyStore
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics

# 0.99 of this model is worth 0.6, 0.5 is worth 0.1.
CURVE = {"method": "isotonic", "knots": [[0.01, 0.02], [0.5, 0.1], [0.99, 0.6]]}


def folder_with(folder: Path, front: str = FRONT) -> tuple[dict[str, Any], Policy]:
    """A folder of one policy, as settings, and the policy."""
    path = folder / "queue.md"
    path.write_text(document(front), encoding="utf-8")
    return {"directory": folder, "only": None}, read_policy(path)


async def verdict(settings: dict[str, Any], judge: ScriptedJudge) -> dict[str, Any]:
    """The verdict of a whole worker on one event."""
    worker = MemoryWorker(judge, policies=settings)
    worker.send(1)
    serving = worker.serve()
    await until(lambda: worker.audit)
    worker.stop.ask()
    await serving
    found: dict[str, Any] = orjson.loads(worker.audit[0].value or b"")
    return found


def judging(score: float) -> ScriptedJudge:
    return ScriptedJudge(answered(score >= 0.5, *(["Q1"] if score >= 0.5 else []), score=score))


async def test_a_calibrated_score_is_told_and_acted_upon(tmp_path: Path) -> None:
    settings, queue = folder_with(tmp_path, FRONT.replace("uncertain: [0.3, 0.7]\n", ""))
    raw = await verdict(settings, judging(0.99))
    assert (raw["outcome"], raw["score"], raw["score_calibrated"]) == ("violation", 0.99, False)
    fitted = calibration(queue, "scripted-1", CURVE)
    write_calibration(tmp_path / "calibration" / "queue.json", fitted)
    mended = await verdict(settings, judging(0.99))
    assert (mended["outcome"], mended["score_calibrated"]) == ("violation", True)
    assert mended["score"] == pytest.approx(0.6)


async def test_the_uncertain_band_is_of_probabilities(tmp_path: Path) -> None:
    settings, queue = folder_with(tmp_path)
    write_calibration(
        tmp_path / "calibration" / "queue.json", calibration(queue, "scripted-1", CURVE)
    )
    sure = await verdict(settings, judging(0.99))
    assert (sure["outcome"], sure["reason"]) == ("uncertain", "score_in_band")


async def test_a_threshold_above_the_probability_takes_the_automatic_action(
    tmp_path: Path,
) -> None:
    front = FRONT.replace("uncertain: [0.3, 0.7]", "threshold: 0.9")
    settings, queue = folder_with(tmp_path, front)
    write_calibration(
        tmp_path / "calibration" / "queue.json", calibration(queue, "scripted-1", CURVE)
    )
    found = await verdict(settings, judging(0.99))
    assert (found["outcome"], found["reason"]) == ("uncertain", "score_contradicts_label")


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("another-model", {}),
        ("scripted-1", {"reads": "0" * 16}),
        ("scripted-1", {"effort": "high"}),
    ],
)
async def test_a_calibration_of_something_else_leaves_the_score_alone(
    tmp_path: Path, model: str, change: dict[str, Any]
) -> None:
    settings, queue = folder_with(tmp_path)
    fitted = calibration(queue, model, CURVE, **change)
    write_calibration(tmp_path / "calibration" / "queue.json", fitted)
    found = await verdict(settings, judging(0.99))
    assert (found["score"], found["score_calibrated"]) == (0.99, False)


async def test_a_version_brings_its_calibration_along_and_is_judged_by_it_from_the_start(
    tmp_path: Path,
) -> None:
    settings, _ = folder_with(tmp_path)
    released = parse_policy(text(1), tmp_path / "queue.md")
    fitted = calibration(released, "scripted-1", CURVE).model_dump_json()
    store = FolderPolicyStore(tmp_path / "store")
    await store.change(change(1, release=Release(text(1), fitted)), expected=0)
    found = await verdict(settings | {"store": tmp_path / "store"}, judging(0.99))
    assert (found["policy_version"], found["score_calibrated"]) == (released.version, True)
    assert (found["outcome"], found["reason"]) == ("uncertain", "score_in_band")


async def test_a_kept_judgement_is_calibrated_anew() -> None:
    scores, cache = FittedScores("scripted-1"), DictCache()
    room = judging_room(Settings(), judging(0.99), Metrics(), scores=scores, cache=cache)
    (first,) = await room.judge(admission())
    assert (first.score, first.score_calibrated) == (0.99, False)
    assert first.policy is not None
    scores.release(first.policy, calibration(first.policy, "scripted-1", CURVE))
    (again,) = await room.judge(admission(record=input_record(offset=1)))
    assert again.stages == ("cache",)
    assert again.score == pytest.approx(0.6)
    assert again.score_calibrated


async def test_a_kept_judgement_of_a_calibrated_one_is_calibrated_once() -> None:
    scores = FittedScores("scripted-1", [calibration(policy(), "scripted-1", CURVE)])
    room = judging_room(Settings(), judging(0.99), Metrics(), scores=scores, cache=DictCache())
    (first,) = await room.judge(admission())
    (again,) = await room.judge(admission(record=input_record(offset=1)))
    assert (first.stages, again.stages) == (("low",), ("cache",))
    assert again.score == first.score == pytest.approx(0.6)


def test_a_broken_calibration_keeps_a_worker_from_starting(tmp_path: Path) -> None:
    settings, _ = folder_with(tmp_path)
    (tmp_path / "calibration").mkdir()
    (tmp_path / "calibration" / "queue.json").write_text('{"form": 1}')
    with pytest.raises(PolicyError, match=r"queue\.json: policy"):
        MemoryWorker(judging(0.9), policies=settings)


def test_an_empty_folder_calibrates_nothing(tmp_path: Path) -> None:
    settings, queue = folder_with(tmp_path)
    (tmp_path / "calibration").mkdir()
    found = fitted_scores(Settings(policies=settings).policies, "scripted-1", [queue])
    assert not found.covers(queue)
