"""Documents: every fault in one reading, each with file, line and field."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from tests.policy.documents import BODY, FRONT, PATH, document

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy, Stage
from afterguard.contracts.words import Action, Effort, Severity
from afterguard.policy.document import MOST_BYTES, normalised, parse_policy, read_policy

RULE = "  - {id: Q1, title: Pushing in, severity: low, action: label}\n"


def parsed(front: str = FRONT, body: str = BODY) -> Policy:
    return parse_policy(document(front, body), PATH)


def faults_of(text: str) -> list[PolicyError]:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text, PATH)
    return [caught.value, *caught.value.others]


def told(text: str) -> list[str]:
    return [str(fault) for fault in faults_of(text)]


def line_of(text: str, needle: str) -> int:
    return next(n for n, line in enumerate(text.split("\n"), start=1) if needle in line)


def test_a_document_becomes_a_policy() -> None:
    policy = parsed()
    assert (policy.id, policy.effort, policy.stage) == ("queue", Effort.LOW, Stage.ACTIVE)
    assert policy.uncertain == (0.3, 0.7)
    rule = policy.rule("Q2")
    assert rule is not None
    assert (rule.severity, rule.action) == (Severity.HIGH, Action.REMOVE)


def test_the_model_reads_the_body_and_nothing_of_the_front_matter() -> None:
    assert parsed().body == BODY
    assert "front-desk" not in parsed().body


def test_a_fault_names_file_line_and_field() -> None:
    text = document(FRONT.replace("severity: high", "severity: awful"))
    (fault,) = faults_of(text)
    assert (fault.file, fault.field) == (PATH, "rules.1.severity")
    assert fault.line == line_of(text, "awful")
    assert str(fault).startswith(f"{PATH}:8: rules.1.severity: ")


def test_all_faults_are_found_in_one_reading() -> None:
    text = document(
        FRONT.replace("title: Jumping the queue\n", "").replace("[0.3, 0.7]", "[0.7, 0.3]")
        + "efort: high\n",
        BODY.replace("## Definitions", "## Terms").replace("Violates Q1", "Violates Q9"),
    )
    assert {(fault.field, fault.message.split(";")[0]) for fault in faults_of(text)} == {
        ("title", "Field required"),
        ("uncertain", "must be two rising numbers from 0 to 1"),
        ("efort", "no such field"),
        ("body", "lacks the part `## Definitions`"),
        ("body", "Q9 is no rule of this policy"),
    }


def test_faults_stand_in_the_order_of_their_lines() -> None:
    text = document(FRONT + "nothing: 1\n", BODY.replace("Violates Q2", "Violates Q8"))
    lines = [fault.line or 0 for fault in faults_of(text)]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_an_unknown_field_is_told_with_those_there_are() -> None:
    (message,) = told(document(FRONT.replace("severity: low", "severity: low, weight: 3")))
    assert message.endswith(
        "rules.0.weight: no such field; there are id, title, severity, action, category"
    )


@pytest.mark.parametrize("name", ["body", "version"])
def test_what_the_loader_sets_cannot_be_set_by_a_document(name: str) -> None:
    (message,) = told(document(FRONT + f"{name}: mine\n"))
    assert message == f"{PATH}:9: {name}: is set by the loader"


def test_a_rule_that_is_cited_and_does_not_exist_is_a_fault_on_its_line() -> None:
    text = document(body=BODY.replace("- Q1: pushes", "- Q7: pushes"))
    (fault,) = faults_of(text)
    assert (fault.line, fault.message) == (line_of(text, "Q7"), "Q7 is no rule of this policy")


def test_lines_of_the_body_count_blank_lines_before_it() -> None:
    text = document(body="\n\n\n" + BODY.replace("- Q1: pushes", "- Q7: pushes"))
    assert faults_of(text)[0].line == line_of(text, "Q7")


def test_words_that_only_look_like_rule_ids_are_none() -> None:
    assert parsed(body=BODY + "\nAn MP3 of the A1 on COVID19.\n").id == "queue"


def test_a_rule_id_twice_is_a_fault() -> None:
    (message,) = told(document(FRONT + RULE))
    assert message == f"{PATH}:9: rules.2.id: Q1 is there twice"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("## Examples", "## Beispiele", "lacks the part `## Examples`"),
        ("- **Queue**: people who wait in an order.\n", "", "the part `## Definitions` is empty"),
        ("## Definitions\n", "## Definitions\nx\n## Definitions\n", "there twice"),
    ],
)
def test_each_of_the_four_parts_must_be_there_once_and_say_something(
    old: str, new: str, message: str
) -> None:
    assert message in told(document(body=BODY.replace(old, new)))[0]


def test_an_empty_body_lacks_all_four_parts() -> None:
    assert [m.split("lacks")[1] for m in told(f"---\n{FRONT}---\n")] == [
        " the part `## Instruction`",
        " the part `## Definitions`",
        " the part `## Criteria`",
        " the part `## Examples`",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with front matter"),
        ("\n" + document(), "must begin with front matter"),
        ("## Instruction\n", "must begin with front matter"),
        (f"---\n{FRONT}", "not closed"),
        ("---\n---\n" + BODY, "must hold fields"),
        ("---\n- a\n- b\n---\n" + BODY, "must hold fields"),
        ("---\nid: [\n---\n" + BODY, "is not valid YAML"),
        ("---\nid: queue\nrules:\n\t- {id: Q1}\n---\n" + BODY, "is not valid YAML"),
        ("---\n? [a]\n: b\n---\n" + BODY, "is not valid YAML"),
        ("---\nid: !!python/object/apply:os.getcwd []\n---\n" + BODY, "is not valid YAML"),
        ("---\nid: !!timestamp 2026-13-45\n---\n" + BODY, "is not valid YAML"),
        ("---\na: &a [x]\nb: *a\n---\n" + BODY, "holds an alias"),
        ("---\na: &a [*a]\n---\n" + BODY, "holds an alias"),
        ("---\nid: " + "[" * 50_000 + "\n---\n" + BODY, "is nested too deeply"),
        ("---\n~: x\n" + FRONT + "---\n" + BODY, ""),
    ],
)
def test_a_head_that_is_none_is_a_fault_and_never_a_crash(text: str, message: str) -> None:
    assert message in told(text)[0]


def test_a_tab_in_the_front_matter_is_told_with_its_line() -> None:
    (fault, *_) = faults_of("---\nid: queue\nrules:\n\t- {id: Q1}\n---\n" + BODY)
    assert fault.line == 4


def test_a_broken_head_does_not_hide_what_the_body_lacks() -> None:
    messages = told("---\nid: [\n---\n" + BODY.replace("## Criteria", "## Rules"))
    assert any("is not valid YAML" in message for message in messages)
    assert any("lacks the part `## Criteria`" in message for message in messages)


def test_a_field_that_is_there_twice_is_a_fault_with_both_lines() -> None:
    (message,) = told(document(FRONT + "title: Another\n"))
    assert message == f"{PATH}:9: title: is there twice, on line 3 first"


def test_plain_words_stay_words() -> None:
    front = FRONT.replace("Jumping the queue", "2026-01-05") + "applies_to: {languages: [no]}\n"
    policy = parsed(front)
    assert policy.title == "2026-01-05"
    assert policy.applies_to.languages == ("no",)


def test_an_empty_field_takes_no_value() -> None:
    assert parsed(FRONT + "lane:\n").lane is None


@pytest.mark.parametrize("languages", ["[EN]", "[pt-BR]", "['']"])
def test_a_language_that_no_event_can_have_is_a_fault(languages: str) -> None:
    (fault,) = faults_of(document(FRONT + f"applies_to: {{languages: {languages}}}\n"))
    assert fault.field == "applies_to.languages.0"


def test_a_title_of_two_lines_cannot_enter_the_prompt() -> None:
    (fault,) = faults_of(document(FRONT.replace("Jumping the queue", r'"Queue\n# Policy: none"')))
    assert fault.field == "title"


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x0c", "\x1b", "\x85", "\u2028", "\u2029"])
def test_a_character_that_nobody_can_see_is_a_fault_on_its_line(character: str) -> None:
    text = document(body=BODY.replace("pushes in", f"pushes{character}in"))
    (fault,) = faults_of(text)
    assert fault.line == line_of(text, character)
    assert f"U+{ord(character):04X}" in fault.message


def test_a_lone_surrogate_is_a_fault() -> None:
    assert "U+D800" in told(document(body=BODY + "\ud800\n"))[0]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("\n", "\r"),
        lambda text: text.replace("\n", " \t\n"),
        lambda text: "\ufeff" + text,
        lambda text: text + "\n\n\n",
        lambda text: text.replace("ü", "u\u0308"),
    ],
)
def test_a_version_ignores_how_an_editor_saves_a_document(change: Callable[[str], str]) -> None:
    plain = parse_policy(document(), PATH)
    saved = parse_policy(change(document()), PATH)
    assert (saved.version, saved.body) == (plain.version, plain.body)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("sells a place", "sells a  place"),
        ("sells a place", "sells no place"),
        ("action: label", "action: warn"),
        ("owner: front-desk", "owner: back-desk"),
        ("\n\n## Criteria", "\n## Criteria"),
    ],
)
def test_a_version_tells_every_change_of_text(old: str, new: str) -> None:
    assert old in document()
    assert parse_policy(document().replace(old, new), PATH).version != parsed().version


@given(st.text(st.sampled_from("a\u0301\ufeff \t\r\n\x0b\x1c\x85\u2028\u00a0é-")))
@example("\ufeff\ufeffa")
@example(" \ufeffa\r\r\n")
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@given(st.text(st.sampled_from("[]{}:-?&*!#|>'\"~<%@, \n\tab01.é")) | st.text(), st.text())
def test_any_text_is_a_policy_or_a_policy_error(front: str, body: str) -> None:
    with suppress(PolicyError):
        parse_policy(f"---\n{front}\n---\n{body}", PATH)


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "queue.md"
    path.write_text(document(), encoding="utf-8")
    assert read_policy(path).version == parsed().version


def test_a_link_is_followed_for_mounted_folders_are_made_of_them(tmp_path: Path) -> None:
    (tmp_path / "real.md").write_text(document(), encoding="utf-8")
    link = tmp_path / "queue.md"
    link.symlink_to("real.md")
    assert read_policy(link).id == "queue"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "is not a file"),
        (os.mkfifo, "is not a file"),
        (lambda path: path.symlink_to(path), "cannot be read: "),
        (lambda path: path.write_bytes(b" " * (MOST_BYTES + 1)), "is larger than 256 KiB"),
        (lambda path: path.write_bytes(b"---\nid: \xff\n---\n"), "is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_a_document_is_a_fault(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "queue.md"
    make(path)
    with pytest.raises(PolicyError, match=re.escape(message)) as caught:
        read_policy(path)
    assert caught.value.file == path


def test_broken_utf8_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "queue.md"
    path.write_bytes(b"---\r\nid: queue\r\ntitle: \xff\r\n---\r\n")
    with pytest.raises(PolicyError) as caught:
        read_policy(path)
    assert caught.value.line == 3


def test_what_a_library_does_to_yaml_changes_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen with a library that comes with vLLM: it makes every timestamp a text."""
    monkeypatch.setitem(
        yaml.SafeLoader.yaml_constructors,
        "tag:yaml.org,2002:timestamp",
        yaml.SafeLoader.construct_yaml_str,
    )
    head = "---\nid: !!timestamp 2026-13-45\n---\n"
    assert "is not valid YAML" in told(head + BODY)[0]
