"""`afterguard policies test`: what it judges, what it shows, and how it ends."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.cli.commands import Told, afterguard
from tests.policy.documents import document

from afterguard.contracts.exit_codes import ExitCode
from afterguard.evaluation.evasions import EVASIONS

# The null engine finds no violation in anything.
HARMLESS = {"id": "fine", "content": "May I go\u200b first?", "expect": "no_violation"}
GRAVE = {"id": "grave", "content": "Five euros for a place", "expect": "violation", "rules": ["Q2"]}
DRESSED = HARMLESS | {"id": "fine-2", "variant_of": "fine", "tags": ["translated"]}


@pytest.fixture(autouse=True)
def _null_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_ENGINE__KIND", "null")


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    path = tmp_path / "queue.md"
    path.write_text(document(), encoding="utf-8")
    return path


def write(queue: Path, *rows: Mapping[str, object], name: str = "golden/queue.jsonl") -> Path:
    path = queue.parent / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def judged(*arguments: str | Path) -> Told:
    return afterguard("policies", "test", *arguments)


def test_a_set_that_passes_ends_well_and_shows_figures_for_each_tag(queue: Path) -> None:
    write(queue, HARMLESS, DRESSED)
    told = judged(queue)
    assert told.code == 0
    assert "translated  1 of 1 (100%)  0 of 1 (0%)" in told.out
    assert "1 of 1 right (needed: 100%), 0 of 1 variants flipped (at most 10%): passes" in told.out


def test_a_set_that_fails_ends_with_83_and_shows_each_row_with_its_text(queue: Path) -> None:
    write(queue, HARMLESS, GRAVE)
    told = judged(queue)
    assert told.code == ExitCode.REFUSED
    (line,) = [line for line in told.out.splitlines() if line.strip().startswith("grave")]
    assert line.split()[:5] == ["grave", "2", "violation", "no_violation", "wrong"]
    assert "Five euros for a place" in line
    assert "1 of 2 right" in told.out


def test_less_may_be_asked_for(queue: Path) -> None:
    write(queue, HARMLESS, GRAVE)
    assert judged(queue, "--least", "0.5").code == 0


def test_another_set_may_be_named(queue: Path) -> None:
    write(queue, GRAVE)
    other = write(queue, HARMLESS, name="other.jsonl")
    assert judged(queue, "--golden", other).code == 0


def test_a_policy_of_the_folder_is_found_by_its_id(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AFTERGUARD_POLICIES__DIRECTORY", str(queue.parent))
    write(queue, HARMLESS)
    assert judged("queue").code == 0


def test_a_program_gets_all_figures_and_no_text(queue: Path) -> None:
    write(queue, HARMLESS, GRAVE, DRESSED)
    told = judged(queue, "--json")
    found = json.loads(told.out)
    assert told.code == ExitCode.REFUSED
    assert (found["policy_id"], found["model"]) == ("queue", "null")
    assert (found["passes"], found["right"], found["wrong"], found["flips"]) == (False, 1, 1, 0)
    assert [(it["id"], it["grade"]) for it in found["judged"]] == [
        ("fine", "right"),
        ("grave", "wrong"),
        ("fine-2", "right"),
    ]
    assert "euros" not in told.out


def test_evasions_disguise_every_row(queue: Path) -> None:
    write(queue, HARMLESS)
    found = json.loads(judged(queue, "--evasions", "--json").out)
    assert found["rows"] == 1
    assert set(found["tags"]) == set(EVASIONS)


def test_rows_of_a_tag_are_judged_with_those_that_they_disguise(queue: Path) -> None:
    write(queue, HARMLESS, GRAVE, DRESSED)
    found = json.loads(judged(queue, "--only", "translated", "--json").out)
    assert [it["id"] for it in found["judged"]] == ["fine", "fine-2"]


def test_a_tag_that_no_row_has_is_told_with_those_there_are(queue: Path) -> None:
    write(queue, HARMLESS, DRESSED)
    told = judged(queue, "--only", "base64")
    assert told.code == ExitCode.CONFIGURATION
    assert "no row is tagged base64; there are translated" in told.err


def test_a_set_that_is_not_there_and_one_that_is_wrong_are_told(queue: Path) -> None:
    told = judged(queue)
    assert told.code == ExitCode.CONFIGURATION
    assert "golden/queue.jsonl: there is no such golden set" in told.err
    write(queue, HARMLESS, GRAVE | {"rules": ["Q9"]})
    told = judged(queue)
    assert "golden/queue.jsonl:2: rules: queue has no rule Q9" in told.err


def test_what_cannot_be_seen_in_a_text_is_shown_as_a_dot(queue: Path) -> None:
    write(queue, HARMLESS | {"expect": "violation"})
    assert "May I go· first?" in judged(queue).out
