"""The record of a run: it says what differs by name, and holds no secret."""

from pathlib import Path

from pydantic import SecretStr
from tests.evaluation.runs import HARASSMENT, HATE, record, row
from tests.samples import policy

from afterguard.engine.settings import EngineSettings
from afterguard.evaluation.run_record import (
    RECORD,
    RunRecord,
    differences,
    read_record,
    record_of,
    save_record,
)
from afterguard.policy.settings import PolicySettings
from afterguard.prefilter.settings import PrefilterSettings
from afterguard.settings import Settings

ROWS = [row(0)]
BEFORE = record(ROWS, [HARASSMENT])


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    save_record(tmp_path, BEFORE)
    assert read_record(tmp_path) == BEFORE


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None


def test_what_changes_no_figure_is_no_difference() -> None:
    moved = BEFORE.data[0].model_copy(update={"path": "/elsewhere/rows.jsonl"})
    assert differences(BEFORE, BEFORE.model_copy(update={"seconds": 9.0, "data": (moved,)})) == []


def test_each_difference_is_named_with_both_values() -> None:
    changed = record(ROWS, [policy(version="00000000000000ff", threshold=0.7)], prompt="combined")
    assert differences(BEFORE, changed) == [
        "policies.0.version: 00000000000000aa -> 00000000000000ff",
        "policies.0.threshold: 0.5 -> 0.7",
        "prompt: per_policy -> combined",
    ]


def test_another_set_of_policies_is_told_by_their_names() -> None:
    changed = record(ROWS, [HARASSMENT, HATE])
    assert differences(BEFORE, changed) == ["policies: harassment -> harassment, hate"]


def test_no_secret_is_written(tmp_path: Path) -> None:
    engine = EngineSettings(
        kind="openai",
        base_url="http://user:HIDDEN@host/v1",
        api_key=SecretStr("HIDDEN"),
        args={"hf_token": "HIDDEN"},
    )
    made = record_of(
        Settings(engine=engine),
        [HARASSMENT],
        [],
        judges=[],
        limit=None,
        sample=None,
        unlabelled_too=False,
        embedded=False,
    )
    save_record(tmp_path, made)
    assert "HIDDEN" not in (tmp_path / RECORD).read_text()


def test_other_arguments_of_the_engine_are_a_difference() -> None:
    other = BEFORE.engine.model_copy(update={"args_sha256": "1" * 64})
    changed = BEFORE.model_copy(update={"engine": other})
    assert [it.partition(":")[0] for it in differences(BEFORE, changed)] == ["engine.args_sha256"]


def test_a_classifier_or_a_calibration_that_was_fitted_anew_is_a_difference(tmp_path: Path) -> None:
    (tmp_path / "calibration").mkdir()
    (tmp_path / "sellers").mkdir()
    calibration = tmp_path / "calibration" / "harassment.json"
    weights = tmp_path / "sellers" / "weights.npz"
    judged_by = policy(judge="classifier", classifier={"name": "sellers"})

    def made() -> RunRecord:
        return record_of(
            Settings(
                policies=PolicySettings(directory=tmp_path),
                prefilter=PrefilterSettings(directory=tmp_path),
            ),
            [judged_by],
            [],
            judges=[],
            limit=None,
            sample=None,
            unlabelled_too=False,
            embedded=False,
        )

    for path in (calibration, weights):
        path.write_text("one")
    before = made()
    assert differences(before, made()) == []
    calibration.write_text("two")
    weights.write_text("two")
    assert [it.partition(":")[0] for it in differences(before, made())] == [
        "policies.0.classifier_sha256",
        "policies.0.calibration_sha256",
    ]
