"""`afterguard schema`: the contracts printed, written and checked."""

import json
from pathlib import Path

import pytest
from tests.cli.commands import afterguard

from afterguard.cli.schema import NAMES, file_name


def test_a_contract_is_printed_by_its_name() -> None:
    assert json.loads(afterguard("schema", "chat-event").out)["title"] == "ChatEvent"


def test_the_files_are_listed_without_a_name() -> None:
    assert afterguard("schema").out.splitlines() == [file_name(name) for name in NAMES]


def test_what_was_written_agrees_until_somebody_changes_it(tmp_path: Path) -> None:
    out = tmp_path / "new" / "schemas"
    assert afterguard("schema", "--out", out).code == 0
    assert afterguard("schema", "--out", out, "--check").code == 0
    (out / "verdict.json").write_text("{}")
    (out / "asyncapi.yaml").unlink()
    told = afterguard("schema", "--out", out, "--check")
    assert told.code == 1
    assert told.err == "verdict.json differs from the models\nasyncapi.yaml is missing\n"


def test_one_contract_can_be_written_alone(tmp_path: Path) -> None:
    assert afterguard("schema", "intervention", "--out", tmp_path).code == 0
    assert [it.name for it in tmp_path.iterdir()] == ["intervention.json"]


def test_an_unknown_name_and_a_folder_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    told = afterguard("schema", "nonsense")
    assert told.code == 2
    assert told.err.startswith("no such contract: nonsense; there are chat-event")
    (tmp_path / "file").touch()
    told = afterguard("schema", "--out", tmp_path / "file")
    assert told.code == 78
    assert told.err.startswith(f"--out {tmp_path / 'file'}: cannot be written")


@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_printed(name: str) -> None:
    assert afterguard("schema", name).out.endswith("\n")
