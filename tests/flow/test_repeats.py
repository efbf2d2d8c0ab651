"""Repeats: equal content is judged once, anything that could change the verdict is in the key."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import answered, chat_event, policy

from afterguard.flow.ports import Judgement, JudgementStatus
from afterguard.flow.repeats import keep, recall, seen_key, verdict_key


def test_what_is_kept_comes_back_without_the_rationale() -> None:
    origin = uuid4()
    kept = keep(answered(True, "H1", score=0.9), origin)
    assert kept is not None
    repeat = recall(kept)
    assert repeat is not None
    assert repeat.verdict_id == origin
    assert (repeat.judgement.violation, repeat.judgement.rule_ids) == (True, ("H1",))
    assert repeat.judgement.score == 0.9
    assert b"because" not in kept
    assert repeat.judgement.rationale == ""


@pytest.mark.parametrize(
    "status", [status for status in JudgementStatus if status is not JudgementStatus.ANSWERED]
)
def test_an_incomplete_answer_is_never_kept(status: JudgementStatus) -> None:
    assert keep(Judgement(status), uuid4()) is None


@given(st.binary(max_size=80))
def test_damaged_bytes_are_a_miss(kept: bytes) -> None:
    assert recall(kept) is None


@pytest.mark.parametrize(
    "other",
    [
        verdict_key("other", policy(), "m"),
        verdict_key("text", policy(id="hate"), "m"),
        verdict_key("text", policy(version="00000000000000bb"), "m"),
        verdict_key("text", policy(effort="high"), "m"),
        verdict_key("text", policy(), "n"),
    ],
)
def test_every_part_of_the_question_is_in_the_key(other: str) -> None:
    assert verdict_key("text", policy(), "m") != other


def test_an_event_id_with_other_content_is_another_event() -> None:
    event = chat_event()
    assert seen_key(event, "harmless") != seen_key(event, "something else")


@given(st.lists(st.text(max_size=4), min_size=2, max_size=2), st.text(max_size=4))
def test_parts_of_a_key_do_not_run_into_each_other(ids: list[str], content: str) -> None:
    one = chat_event(event_id="x" + ids[0], conversation_id="y" + ids[1])
    other = chat_event(event_id="x" + ids[0] + "y", conversation_id=ids[1] + "z")
    assert seen_key(one, content) != seen_key(other, content)
