"""`afterguard map`: what a sample becomes, and which field failed."""

import json
from pathlib import Path

import pytest
from tests.cli.commands import Told, afterguard
from tests.samples import event_fields

MAP = """
input:
  map:
    event_id: id
    occurred_at: {path: at, unit: s}
    kind: {const: message}
    conversation_id: room
    author.id: by
    content: text
"""
GOOD = {"id": 7, "at": 1767614407, "room": "r", "by": "ann", "text": "hi"}


@pytest.fixture
def tried(tmp_path: Path) -> "Try":
    return Try(tmp_path)


class Try:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *records: object, config: str = MAP, options: tuple[str, ...] = ()) -> Told:
        sample, settings = self._folder / "sample.jsonl", self._folder / "a.yaml"
        sample.write_text("".join(f"{json.dumps(it)}\n" for it in records))
        settings.write_text(config)
        return afterguard("map", "--try", sample, "--config", settings, *options)


def test_a_record_is_shown_as_the_event_that_it_becomes(tried: "Try") -> None:
    told = tried(GOOD)
    assert told.code == 0
    assert "record 1: event" in told.out
    shown = dict(line.split(maxsplit=1) for line in told.out.splitlines()[1:-1])
    assert {name: it.strip() for name, it in shown.items()} == {
        "event_id": "7",
        "occurred_at": "2026-01-05T12:00:07+00:00",
        "kind": "message",
        "conversation_id": "r",
        "content": "hi",
        "author.id": "ann",
        "author.role": "user",
    }
    assert "1 of 1 records become events" in told.out


def test_every_field_that_fails_is_named_with_its_reason(tried: "Try") -> None:
    told = tried(GOOD, GOOD | {"text": None, "at": "soon"})
    assert told.code == 1
    assert "unmapped: `text` is null or absent" in told.out
    assert "unmapped: `unit` is set, but what was found is no number" in told.out
    assert "1 of 2 records become events" in told.out
    assert "content failed in 1" in told.out
    assert "occurred_at failed in 1" in told.out


def test_what_was_found_is_shown_beside_what_failed(tried: "Try") -> None:
    assert "ann" in tried(GOOD | {"text": None}).out


def test_one_json_object_a_record_can_be_had(tried: "Try") -> None:
    told = tried(GOOD, GOOD | {"by": None}, options=("--json",))
    good, bad = [json.loads(line) for line in told.out.splitlines()]
    assert good["event"]["author"] == {"id": "ann", "role": "user"}
    assert bad == {
        "line": 2,
        "event": None,
        "faults": [
            {
                "field": "author.id",
                "reason": "unmapped",
                "detail": "author.id: `by` is null or absent",
            }
        ],
    }


def test_a_limit_is_kept(tried: "Try") -> None:
    assert "2 of 2 records" in tried(GOOD, GOOD, GOOD, options=("--limit", "2")).out


def test_without_a_map_the_records_are_read_as_our_own_shape(tried: "Try") -> None:
    told = tried(event_fields(), {"content": "x"}, config="")
    assert told.out.startswith("input.map is empty")
    assert "1 of 2 records become events" in told.out


def test_markup_and_control_codes_of_a_sample_do_not_reach_the_terminal(tried: "Try") -> None:
    told = tried(GOOD | {"text": "[red]a[/red] \x1b[31mb\x1b[0m [/nonsense]\nc"})
    assert "[red]a[/red] �[31mb�[0m [/nonsense]⏎c" in told.out


def test_a_long_text_is_cut(tried: "Try") -> None:
    assert "(5000 characters)" in tried(GOOD | {"text": "x" * 5_000}).out


def test_faults_of_the_map_are_told_one_a_line(tried: "Try") -> None:
    told = tried(GOOD, config="input: {map: {content: 'a[', kind: {const: 3}, sender: x}}")
    assert told.code == 78
    assert [line.split(": ")[0] for line in told.err.splitlines()] == [
        "input.map.content",
        "input.map.kind",
        "input.map.sender",
        "input.map.author.id",
        "input.map.conversation_id",
    ]
