"""A golden set is judged as the worker would: with the calibration that comes with the version."""

import json
from pathlib import Path

import pytest
from tests.flow.judges import ScriptedJudge
from tests.policy.calibrations import calibration
from tests.policy.documents import FRONT, document
from tests.samples import answered

from afterguard.cli import golden_judged
from afterguard.contracts.policies import Policy
from afterguard.evaluation.golden_run import Grade
from afterguard.policy.document import parse_policy
from afterguard.policy.golden import parse_golden
from afterguard.settings import Settings

# 0.99 of the scripted model is worth 0.6: inside the band of doubt.
CURVE = {"method": "isotonic", "knots": [[0.01, 0.02], [0.5, 0.1], [0.99, 0.6]]}
ROW = {"id": "sold", "content": "Five euros for a place", "expect": "violation", "rules": ["Q1"]}


@pytest.fixture
def queue() -> Policy:
    return parse_policy(document(FRONT), Path("queue.md"))


@pytest.mark.parametrize(("fitted", "grade"), [(False, Grade.RIGHT), (True, Grade.UNCERTAIN)])
async def test_a_version_is_held_to_its_set_with_the_calibration_it_brings(
    queue: Policy, monkeypatch: pytest.MonkeyPatch, fitted: bool, grade: Grade
) -> None:
    judge = ScriptedJudge(answered(True, "Q1", score=0.99))
    monkeypatch.setattr(golden_judged, "create_judge", lambda *_, **__: judge)
    rows = parse_golden(json.dumps(ROW).encode(), Path("queue.jsonl"), queue)
    brought = calibration(queue, judge.model, CURVE).model_dump_json() if fitted else None
    found = await golden_judged.judged(Settings(), queue, rows, calibration=brought)
    (row,) = found.report.rows
    assert (row.grade, row.finding.score_calibrated) == (grade, fitted)
