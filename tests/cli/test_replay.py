"""`afterguard replay`: what a person sees of it, and how it ends."""

import gzip
import json
from pathlib import Path

import pytest
from tests.cli.commands import Told, afterguard

CSV = b'\xef\xbb\xbfmid,body,who\r\n1,hello,ann\r\n2,"two\r\nlines, ""so""",bob\r\n3,,bob\r\n'


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "messages.csv.gz"
    path.write_bytes(gzip.compress(CSV))
    return path


def dry(*arguments: str | Path) -> Told:
    return afterguard("replay", *arguments, "--dry-run")


def test_a_dry_run_needs_no_broker_and_tells_bad_rows_by_line_without_content(
    table: Path,
) -> None:
    told = dry(table, "--text", "body", "--id", "mid", "--map", "author.id=who")
    assert told.code == 1
    assert "dry run: 2 of 3 rows would be sent" in told.out
    assert "1 bad rows not sent: 1 unmapped" in told.out
    assert told.err == "line 5: unmapped: content: `body` is null or absent\n"
    assert "hello" not in told.out + told.err


def test_bad_rows_can_be_forgiven(table: Path) -> None:
    assert dry(table, "--text", "body", "--skip-bad").code == 0


def test_one_json_object_comes_last(table: Path) -> None:
    told = dry(table, "--text", "body", "--json")
    last = json.loads(told.out.splitlines()[-1])
    assert last.pop("seconds") >= 0
    assert last == {
        "rows": 3,
        "sent": 2,
        "acknowledged": 0,
        "bad": {"unmapped": 1},
        "ids_made": 2,
        "times_made": 2,
        "stopped": False,
    }


def test_rows_of_another_shape_are_met_with_the_option_that_helps(table: Path) -> None:
    told = dry(table)
    assert told.code == 1
    assert "name the text with --text" in told.out


def test_a_limit_is_kept(table: Path) -> None:
    assert "1 of 1 rows" in dry(table, "--text", "body", "--limit", "1").out


def test_an_empty_file_is_no_fault(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    assert dry(empty).out == "there are no rows\n"


def test_a_constant_and_a_long_form_may_be_given_on_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text('{"t": "hi", "at": 1767614407, "path": "a"}\n{"t": "hi", "at": "soon"}\n')
    told = dry(
        *(file, "--text", "t", "--json", "--map", "kind='completion'"),
        *("--map", 'occurred_at={"path": "at", "unit": "s"}', "--map", 'target={"p": path}'),
    )
    assert "line 2: unmapped: occurred_at: `unit` is set" in told.err
    assert json.loads(told.out.splitlines()[-1])["sent"] == 1


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--text", "a["], "input.map.content: not a JMESPath"),
        (["--text", "a", "--map", "x=y"], "input.map.x: no such field"),
        (["--text", "a", "--map", "kind"], "--map kind: must be FIELD=PATH"),
        (["--text", "a", "--map", 'kind={"unit": "s"}'], "input.map.kind: needs exactly one of"),
        (["--map", "tenant=t"], "input.map.content: needed"),
        (["--config", "/nowhere/a.yaml"], "/nowhere/a.yaml: cannot be read"),
    ],
)
def test_a_wrong_option_is_told_in_one_line(table: Path, arguments: list[str], fault: str) -> None:
    told = dry(table, *arguments)
    assert told.code == 78
    assert told.err.startswith(fault)
    assert told.err.count("\n") == 1


def test_the_map_of_the_settings_applies_and_an_option_wins_over_it(tmp_path: Path) -> None:
    config = tmp_path / "a.yaml"
    config.write_text("input:\n  map:\n    content: body\n    event_id: nothing\n")
    file = tmp_path / "m.jsonl"
    file.write_text('{"body": "hi", "n": 1}\n')
    assert "event_id" in dry(file, "--config", config).err
    assert dry(file, "--config", config, "--id", "n").code == 0


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (".", None, "cannot be read: Is a directory"),
        ("absent.csv", None, "cannot be read: No such file"),
        ("a.jsonl", b"\x7fELF\0", "holds zero bytes"),
        ("a.csv", b"", "the first row must name each column"),
        ("a.json", b"[1", "no JSON array"),
    ],
)
def test_a_file_that_cannot_be_used_ends_in_one_clear_line(
    tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    ended = dry(path)
    assert ended.code == 78
    assert f"{path}: {told}" in ended.err
    assert ended.err.count("\n") == 1


def test_a_broker_that_is_not_there_is_told(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_KAFKA__START_TIMEOUT_S", "0.3")
    told = afterguard("replay", table, "--text", "body", "--bootstrap", "127.0.0.1:9")
    assert told.code == 81
    assert told.err.startswith("no broker answered at kafka.bootstrap_servers=127.0.0.1:9")
