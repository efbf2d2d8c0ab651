"""Evasions: small functions without chance, and variants that expect what their rows expect."""

import re
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.house.source import ROOT
from tests.samples import chat_event, policy

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.words import Kind
from afterguard.evaluation.evasions import (
    EVASIONS,
    FRAMES,
    LETTERS,
    disguised,
    homoglyphs,
    in_base64,
    pieces,
)
from afterguard.policy.labelled import LabelledRow
from afterguard.policy.normal_form import normal_form


def row(content: object = "free money for all my dear friends", **changes: object) -> LabelledRow:
    kind = "message" if isinstance(content, str) else "conversation"
    event = chat_event(content=content, kind=kind, **changes)
    return LabelledRow("r-1", event, {"harassment": True}, {"harassment": ("H1",)}, ("scam",))


def by_name(rows: list[LabelledRow]) -> dict[str, LabelledRow]:
    return {it.row_id.partition("~")[2]: it for it in rows}


def test_an_english_message_has_a_variant_for_each_evasion() -> None:
    assert list(by_name(disguised([row()], policy()))) == list(EVASIONS)


def test_a_variant_expects_what_its_row_expects_and_is_tagged_with_its_evasion() -> None:
    for name, variant in by_name(disguised([row()], policy())).items():
        assert variant.variant_of == "r-1"
        assert (variant.expected, variant.rules) == (row().expected, row().rules)
        assert variant.tags == ("scam", name)
        assert variant.event.event_id == f"golden:r-1~{name}"


@given(st.text(min_size=1))
def test_frames_hold_the_whole_text_as_it_was(text: str) -> None:
    assert all(text in frame(text) for frame in FRAMES.values())


@given(st.text())
def test_the_pieces_of_a_text_are_four_at_most_and_nothing_is_lost(text: str) -> None:
    found = pieces(text)
    assert len(found) <= 4
    assert "".join(found).replace(" ", "") == text.replace(" ", "")


@given(st.text())
def test_base64_can_be_read_back(text: str) -> None:
    assert b64decode(in_base64(text)).decode("utf-8", "surrogatepass") == text


@given(st.text())
def test_every_evasion_of_letters_is_the_same_at_every_run(text: str) -> None:
    assert all(evasion(text) == evasion(text) for evasion in LETTERS.values())


@pytest.mark.parametrize("name", ["homoglyphs", "zero-width", "full-width"])
def test_the_normal_form_sees_through_what_characters_alone_disguise(name: str) -> None:
    said = "send the code to this friendly person"
    assert normal_form(LETTERS[name](said)) == said


def test_homoglyphs_work_in_cyrillic_words_too() -> None:
    said = "\u0441\u043a\u043e\u0440\u043e \u0431\u0443\u0434\u0435\u0442"
    assert homoglyphs(said) != said
    assert normal_form(homoglyphs(said)) == said


def test_an_evasion_that_changes_nothing_gives_no_variant() -> None:
    found = by_name(disguised([row("\u0431\u0436\u0434")], policy()))
    assert "leetspeak" not in found
    assert "homoglyphs" not in found


def test_a_conversation_is_disguised_letter_by_letter_in_all_turns_and_framed_in_the_last() -> None:
    turns = [{"role": "user", "text": "one two"}, {"role": "user", "text": "three"}]
    found = by_name(disguised([row(turns)], policy()))
    letters, framed = found["leetspeak"].event.content, found["forged-verdict"].event.content
    assert isinstance(letters, list)
    assert isinstance(framed, list)
    assert [turn.text for turn in letters] == ["0n3 7w0", "7hr33"]
    assert framed[0].text == "one two"
    assert framed[1].text.startswith("three\n")
    assert "split" not in found


def test_a_message_is_split_only_where_conversations_are_judged() -> None:
    assert by_name(disguised([row()], policy()))["split"].event.kind is Kind.CONVERSATION
    alone = policy(applies_to={"kinds": ["message"]})
    assert "split" not in by_name(disguised([row()], alone))


def test_variants_are_not_disguised_again() -> None:
    assert disguised([row()._replace(variant_of="r-0")], policy()) == []


def test_an_unknown_evasion_is_told_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="no such evasion: magic; there are homoglyphs"):
        disguised([row()], policy(), ["magic"])


def test_the_docs_name_every_evasion() -> None:
    page = (ROOT / "docs" / "golden-sets.md").read_text(encoding="utf-8")
    table = page.split("## Evasions")[1].split("| tag |")[1].split("\n\n")[0]
    names = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    assert re.findall("`([a-z0-9-]+)`", " ".join(names)) == list(EVASIONS)
