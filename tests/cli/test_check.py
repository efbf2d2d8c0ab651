"""`afterguard check`: how it takes its arguments. The engines have tests of their own."""

import json
from pathlib import Path

import pytest
from tests.cli.commands import afterguard
from tests.policy.documents import document


@pytest.fixture(autouse=True)
def _null_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_ENGINE__KIND", "null")


def test_a_text_is_judged_under_a_policy_named_by_its_id() -> None:
    told = afterguard("check", "-p", "harassment", "good morning", "--json")
    answer = json.loads(told.out)
    assert (told.code, answer["policy_id"], answer["outcome"]) == (0, "harassment", "no_violation")


def test_a_policy_may_be_named_by_the_path_of_its_document(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text(document(), encoding="utf-8")
    assert json.loads(afterguard("check", "-p", path, "x", "--json").out)["policy_id"] == "queue"


def test_the_text_may_come_from_standard_input() -> None:
    assert afterguard("check", "-p", "hate", "-", given=b"[/b] a").code == 0


def test_the_answer_is_shown_for_a_person() -> None:
    out = afterguard("check", "-p", "hate", "a").out
    assert "no_violation" in out
    assert '{"violation":0,"rules":[]}' in out


@pytest.mark.parametrize(
    ("arguments", "code", "fault"),
    [
        (["-p", "nonsense", "a"], 78, "there is no policy 'nonsense'; there are "),
        (["-p", "absent.md", "a"], 78, "absent.md: cannot be read"),
        (["-p", "hate", "--kind", "conversation", "a"], 1, "invalid_event: event: conversation"),
        (["-p", "hate", "a", "--config", "absent.yaml"], 78, "absent.yaml: cannot be read"),
        (["-p", "hate", "a\udcff"], 78, "the text is not UTF-8"),
    ],
)
def test_what_cannot_be_judged_is_told_in_one_line(
    arguments: list[str], code: int, fault: str
) -> None:
    told = afterguard("check", *arguments)
    assert told.code == code
    assert told.err.startswith(fault)
    assert told.err.count("\n") == 1


def test_bytes_that_are_no_utf8_are_told() -> None:
    assert afterguard("check", "-p", "hate", "-", given=b"\xff").err == "the text is not UTF-8\n"
