"""`afterguard policies new`: a valid draft, which lint leads through and which harms nothing."""

from pathlib import Path

import pytest
from tests.cli.commands import afterguard

from afterguard.contracts.exit_codes import ExitCode
from afterguard.policy.document import read_policy
from afterguard.policy.golden import golden_path, read_golden

IDS = ["queue-jumping", "spoilers", "a1", "a-", "x-2-y", "one-two-three-four-five"]


@pytest.mark.parametrize("policy_id", IDS)
def test_a_draft_has_no_faults_and_says_what_is_left_to_write(
    tmp_path: Path, policy_id: str
) -> None:
    assert afterguard("policies", "new", policy_id, "--out", tmp_path).code == 0
    linted = afterguard("policies", "lint", tmp_path)
    assert linted.code == 0
    assert "faults: 0" in linted.out
    assert "is still to be written: TODO" in linted.out


def test_a_draft_is_on_trial_wherever_a_worker_finds_it(tmp_path: Path) -> None:
    afterguard("policies", "new", "spoilers", "--out", tmp_path)
    assert read_policy(tmp_path / "spoilers.md").shadow


def test_the_golden_set_expects_both_and_every_rule_that_is_certain(tmp_path: Path) -> None:
    afterguard("policies", "new", "queue-jumping", "--out", tmp_path)
    document = tmp_path / "queue-jumping.md"
    rows = read_golden(golden_path(document), read_policy(document))
    assert {it.expected["queue-jumping"] for it in rows} == {True, False}
    assert {it for row in rows for it in row.rules.get("queue-jumping", ())} == {"QJ1", "QJ2"}


def test_title_and_owner_are_taken_word_for_word(tmp_path: Path) -> None:
    title, owner = 'Spoilers: "the end" # of films', "team: {a}"
    given = ("--title", title, "--owner", owner)
    assert afterguard("policies", "new", "spoilers", "--out", tmp_path, *given).code == 0
    written = read_policy(tmp_path / "spoilers.md")
    assert (written.title, written.owner) == (title, owner)


@pytest.mark.parametrize("there", ["spoilers.md", "golden/spoilers.jsonl"])
def test_what_is_there_is_never_overwritten(tmp_path: Path, there: str) -> None:
    (tmp_path / "golden").mkdir()
    (tmp_path / there).write_text("mine")
    told = afterguard("policies", "new", "spoilers", "--out", tmp_path)
    assert told.code == ExitCode.CONFIGURATION
    assert "is there already; nothing was written" in told.err
    assert [it for it in tmp_path.rglob("*") if it.is_file()] == [tmp_path / there]
    assert (tmp_path / there).read_text() == "mine"


def test_the_folder_of_the_settings_is_used_when_none_is_named(tmp_path: Path) -> None:
    config = tmp_path / "afterguard.yaml"
    config.write_text(f"policies: {{directory: {tmp_path / 'ours'}}}\n")
    assert afterguard("policies", "new", "spoilers", "--config", config).code == 0
    assert (tmp_path / "ours" / "spoilers.md").is_file()


@pytest.mark.parametrize("name", ["Spoilers", "a b", "../up", "9lives", "x"])
def test_a_name_that_is_no_id_is_refused(tmp_path: Path, name: str) -> None:
    told = afterguard("policies", "new", name, "--out", tmp_path)
    assert told.code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_title_that_cannot_be_one_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    told = afterguard("policies", "new", "spoilers", "--out", tmp_path, "--title", "x")
    assert told.code == ExitCode.CONFIGURATION
    assert "title" in told.err
    assert list(tmp_path.iterdir()) == []
