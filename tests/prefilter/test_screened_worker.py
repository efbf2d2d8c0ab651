"""A whole worker with a prefilter: every event has a verdict, and a skipped one says why."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import MemoryWorker, until
from tests.policy.documents import FRONT, document
from tests.prefilter.rows import rows
from tests.samples import answered, chat_event

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.exit_codes import ExitCode
from afterguard.evaluation.bench import Case, open_bench
from afterguard.policy.registry import load_policies
from afterguard.prefilter.artefact import Artefact
from afterguard.settings import Settings

PREFILTER = "prefilter: {classifier: sellers, target_recall: 0.95}\n"
JUDGE = "judge: classifier\nclassifier: {name: sellers, target_precision: 0.9, rule: Q2}\n"


def sections(fitted: Artefact, folder: Path, front: str) -> dict[str, Any]:
    (folder / "queue.md").write_text(document(FRONT.replace("[0.3, 0.7]", "[0.49, 0.5]") + front))
    return {
        "policies": {"directory": folder},
        "prefilter": {"directory": fitted.folder.parent, "bypass_share": 1e-9},
    }


async def verdicts(worker: MemoryWorker, texts: list[str]) -> list[dict[str, Any]]:
    """The verdicts on these texts, in their order."""
    for number, text in enumerate(texts):
        worker.send(number, content=text)
    serving = worker.serve()
    await until(lambda: len(worker.audit) == len(texts))
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    found = [orjson.loads(it.value or b"") for it in worker.audit]
    return sorted(found, key=lambda it: int(it["offset"]))


async def test_what_the_prefilter_keeps_from_the_model_is_written_down_with_the_reason(
    fitted: Artefact, tmp_path: Path
) -> None:
    judge = ScriptedJudge(answered(True, "Q2"))
    worker = MemoryWorker(judge, **sections(fitted, tmp_path, PREFILTER))
    texts, sells = rows(12, seed=5)
    for verdict, sold in zip(await verdicts(worker, texts), sells, strict=True):
        if sold:
            assert (verdict["outcome"], verdict["stages"]) == ("violation", ["prefilter", "low"])
            continue
        assert (verdict["outcome"], verdict["reason"]) == ("skipped", "prefiltered")
        assert (verdict["action"], verdict["stages"]) == ("none", ["prefilter"])
        assert (verdict["engine"], verdict["model"]) == ("classifier", fitted.card.reference)
        assert verdict["score_calibrated"]
    assert len(judge.requests) == sum(sells)


async def test_as_the_judge_it_decides_without_the_model_and_without_a_rationale(
    fitted: Artefact, tmp_path: Path
) -> None:
    judge = ScriptedJudge(RuntimeError("is not asked"))
    worker = MemoryWorker(judge, **sections(fitted, tmp_path, JUDGE))
    texts, sells = rows(12, seed=6)
    for verdict, sold in zip(await verdicts(worker, texts), sells, strict=True):
        assert verdict["outcome"] == ("violation" if sold else "no_violation")
        assert verdict["rule_ids"] == (["Q2"] if sold else [])
        assert (verdict["stages"], verdict["rationale"]) == (["classifier"], None)
        assert verdict["score"] is not None
    assert not judge.requests


@pytest.mark.parametrize(
    ("front", "field"),
    [
        (PREFILTER.replace("0.95", "0.99"), "prefilter.target_recall"),
        (PREFILTER.replace("sellers", "nobody"), "prefilter.classifier"),
        (JUDGE.replace("0.9", "0.999"), "classifier.target_precision"),
    ],
)
def test_a_worker_does_not_start_with_a_classifier_that_does_not_bear_out_its_policy(
    fitted: Artefact, tmp_path: Path, front: str, field: str
) -> None:
    with pytest.raises(PolicyError, match=f"queue: {field}: "):
        MemoryWorker(**sections(fitted, tmp_path, front))


async def test_an_evaluation_refuses_it_like_a_worker(fitted: Artefact, tmp_path: Path) -> None:
    settings = Settings(**sections(fitted, tmp_path, PREFILTER.replace("0.95", "0.99")))
    (policy,) = load_policies(settings.policies).policies
    async with open_bench(settings, judge=ScriptedJudge(answered(False))) as bench:
        with pytest.raises(PolicyError, match=r"queue: prefilter\.target_recall: "):
            await bench.findings(Case("one", chat_event(), (policy,)))
