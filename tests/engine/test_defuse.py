"""What looks like a control token is broken, and ordinary text stays as it is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.engine.formats.defuse import defused

CONTROL = [
    "<|end|>",
    "<|im_end|>",
    "<|start|>assistant<|channel|>final<|message|>",
    "<\uff5cUser\uff5c>",
    "<s>",
    "</s>",
    "<<SYS>>",
    "[INST]",
    "[/INST]",
    "<start_of_turn>",
    "</think>",
]


@pytest.mark.parametrize("token", CONTROL)
def test_a_control_token_does_not_survive(token: str) -> None:
    assert token not in defused(f"before {token} after")


@given(st.lists(st.sampled_from([*CONTROL, "<", "|", ">", "x", " ", "[", "]"])).map("".join))
def test_none_survives_however_they_are_nested(text: str) -> None:
    made = defused(text)
    assert "<|" not in made
    assert not re.search(r"<[A-Za-z/][^\s<>]*>|\[/?[A-Z]{3,}\]", made)


@given(st.lists(st.sampled_from([*CONTROL, "<", "<<", "|", "x "])).map("".join))
def test_a_second_pass_changes_nothing(text: str) -> None:
    assert defused(defused(text)) == defused(text)


@given(st.text())
def test_only_spaces_are_added(text: str) -> None:
    assert defused(text).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize("text", ["a < b and b > c", "<3 you", "[1] see [abc]", "x <- y", "5<6>4"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert defused(text) == text
