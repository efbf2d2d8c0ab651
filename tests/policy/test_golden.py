"""Golden sets: what a line may say, and that every fault names its file, line and field."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.house.source import ROOT
from tests.policy.documents import document
from tests.samples import policy

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Kind, Role
from afterguard.policy.document import parse_policy
from afterguard.policy.golden import MOST_BYTES, golden_path, parse_golden, read_golden
from afterguard.policy.labelled import LabelledRow

PATH = Path("golden/harassment.jsonl")
ROW: dict[str, Any] = {"id": "r-1", "content": "you fool", "expect": "violation"}


def lines(*rows: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def read(*rows: dict[str, Any], under: Policy | None = None) -> list[LabelledRow]:
    return parse_golden(lines(*rows), PATH, under or policy())


def faults(raw: bytes, under: Policy | None = None) -> list[tuple[int | None, str, str]]:
    with pytest.raises(PolicyError) as caught:
        parse_golden(raw, PATH, under or policy())
    found = (caught.value, *caught.value.others)
    assert {it.file for it in found} == {PATH}
    return [(it.line, it.field, it.message) for it in found]


def test_a_set_stands_in_a_folder_beside_its_policy_under_the_policy_s_id() -> None:
    assert golden_path(Path("p/hate.md")) == Path("p/golden/hate.jsonl")
    assert golden_path(Path("p/draft.md"), "hate") == Path("p/golden/hate.jsonl")


def test_the_shortest_row_is_a_message_by_a_user() -> None:
    (row,) = read(ROW)
    assert (row.row_id, row.event.kind, row.event.author.role) == (
        "r-1",
        Kind.MESSAGE,
        Role.USER,
    )
    assert (row.event.content, row.expected) == ("you fool", {"harassment": True})
    assert (row.rules, row.tags, row.variant_of) == ({}, (), None)
    assert row.source == "golden/harassment.jsonl:1"


def test_a_row_may_say_who_wrote_it_in_what_language_and_which_rules_it_violates() -> None:
    more = {"kind": "completion", "role": "assistant", "language": "de", "tags": ["border"]}
    (row,) = read(ROW | more | {"rules": ["H1", "H2"], "note": "close"})
    assert (row.event.kind, row.event.author.role) == (Kind.COMPLETION, Role.ASSISTANT)
    assert (row.event.language, row.tags) == ("de", ("border", "lang:de"))
    assert row.rules == {"harassment": ("H1", "H2")}


def test_turns_are_a_conversation_by_users_unless_they_say_otherwise() -> None:
    turns = [{"text": "hi"}, {"role": "assistant", "text": "hello"}]
    (row,) = read(ROW | {"content": turns})
    assert row.event.kind is Kind.CONVERSATION
    content = row.event.content
    assert isinstance(content, list)
    assert [(turn.role, turn.text) for turn in content] == [
        (Role.USER, "hi"),
        (Role.ASSISTANT, "hello"),
    ]


def test_a_variant_has_the_rules_of_its_row_unless_it_names_its_own() -> None:
    first = ROW | {"rules": ["H1"]}
    variant = ROW | {"id": "r-2", "variant_of": "r-1"}
    own = variant | {"id": "r-3", "rules": ["H2"]}
    rows = read(variant, own, first)
    assert [row.rules["harassment"] for row in rows] == [("H1",), ("H2",), ("H1",)]
    assert [row.variant_of for row in rows] == ["r-1", "r-1", None]


def test_blank_lines_are_no_rows_and_lines_are_counted_as_an_editor_does() -> None:
    (row,) = parse_golden(b"\n\n" + lines(ROW) + b"\n\n", PATH, policy())
    assert row.source.endswith(":3")


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"id": ""}, "id", "String should match pattern"),
        ({"content": ""}, "content", "at least 1 character"),
        ({"expect": "uncertain"}, "expect", "violation"),
        ({"expected": True}, "expected", "no such field; there are id, content, expect"),
        ({"rules": ["H9"]}, "rules", "harassment has no rule H9; it has H1, H2"),
        ({"expect": "no_violation", "rules": ["H1"]}, "", "`rules` are for violations"),
        ({"kind": "conversation"}, "", "turns are of kind conversation"),
        ({"content": [{"text": "a"}], "kind": "message"}, "", "turns are of kind conversation"),
        ({"tags": ["No Tag"]}, "tags.0", "String should match pattern"),
        ({"language": "e n"}, "language", "String should match pattern"),
        ({"variant_of": "r-0"}, "variant_of", "there is no row r-0"),
    ],
)
def test_a_fault_names_its_line_and_field(changes: dict[str, Any], field: str, told: str) -> None:
    good = ROW | {"id": "good"}
    found = faults(lines(good, ROW | changes))
    assert [(line, name) for line, name, _ in found][:1] == [(2, field)]
    assert told in found[0][2]


@pytest.mark.parametrize(
    ("content", "field"),
    [([{"text": "a", "text2": "b"}], "content.0.text2"), ([], "content"), (3, "content")],
)
def test_a_fault_of_the_content_names_its_place(content: object, field: str) -> None:
    assert field in [name for _, name, _ in faults(lines(ROW | {"content": content}))]


def test_all_faults_are_told_at_once_by_line() -> None:
    raw = b'{"id": "a"}\nno json\n[1]\n' + lines(ROW, ROW)
    told = faults(raw)
    assert sorted({line for line, _, _ in told if line is not None}) == [1, 2, 3, 5]
    assert (5, "id", "r-1 is there twice, first in line 4") in told


def test_a_variant_of_a_variant_and_one_of_another_label_are_refused() -> None:
    second = ROW | {"id": "r-2", "variant_of": "r-1"}
    third = ROW | {"id": "r-3", "variant_of": "r-2"}
    other = ROW | {"id": "r-4", "variant_of": "r-1", "expect": "no_violation"}
    assert [(line, field) for line, field, _ in faults(lines(ROW, second, third, other))] == [
        (3, "variant_of"),
        (4, "expect"),
    ]


def test_a_row_that_the_policy_would_never_be_asked_about_is_refused() -> None:
    narrow = policy(applies_to={"kinds": ["message"], "roles": ["user"]})
    odd = ROW | {"kind": "completion", "role": "assistant"}
    assert faults(lines(odd), narrow) == [
        (1, "kind", "harassment judges no completion"),
        (1, "role", "harassment judges nothing by assistant"),
    ]


def test_a_set_without_a_row_is_refused() -> None:
    assert faults(b"\n") == [(None, "", "holds no row")]


def test_a_missing_and_a_huge_file_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with pytest.raises(PolicyError, match="there is no such golden set"):
        read_golden(path, policy())
    path.write_bytes(b" " * (MOST_BYTES + 1))
    with pytest.raises(PolicyError, match="larger than 8 MiB"):
        read_golden(path, policy())


@given(st.binary() | st.lists(st.text()).map(lambda it: "\n".join(it).encode(errors="ignore")))
def test_whatever_the_bytes_are_it_is_rows_or_faults_of_ours(raw: bytes) -> None:
    try:
        rows = parse_golden(raw, PATH, policy())
    except PolicyError:
        return
    assert rows


def test_the_example_that_the_docs_explain_is_a_set() -> None:
    page = (ROOT / "docs" / "golden-sets.md").read_text(encoding="utf-8")
    example = page.split("```json\n")[1].split("```")[0]
    rows = parse_golden(example.encode(), PATH, parse_policy(document(), Path("queue.md")))
    assert [row.row_id for row in rows] == ["q-01", "q-02", "q-01-leetspeak"]


def test_the_docs_explain_every_field() -> None:
    page = (ROOT / "docs" / "golden-sets.md").read_text(encoding="utf-8")
    table = page.split("| field |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [
        "id", "content", "expect", "rules", "kind", "role", "language", "tags", "variant_of",
        "note",
    ]  # fmt: skip
