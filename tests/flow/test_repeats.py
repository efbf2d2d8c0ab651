"""Repeats: equal content is judged once, anything that could change the verdict is in the key."""

import json
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import answered, chat_event, policy

from afterguard.contracts.words import Effort
from afterguard.flow.ports import Judgement, JudgementStatus
from afterguard.flow.repeats import keep, recall, seen_key, verdict_key


def test_what_is_kept_comes_back_without_the_rationale() -> None:
    origin = uuid4()
    kept = keep(answered(True, "H1", score=0.9), Effort.LOW, origin)
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
    assert keep(Judgement(status), Effort.LOW, uuid4()) is None


@pytest.mark.parametrize("score", [float("nan"), float("inf"), -0.1, 1.1])
def test_an_answer_with_an_impossible_score_is_never_kept(score: float) -> None:
    assert keep(answered(False, score=score), Effort.LOW, uuid4()) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5),
    max_leaves=10,
)


@given(st.tuples(st.just(2), JSON, st.booleans(), JSON, JSON, JSON))
def test_what_is_recalled_is_a_complete_answer_whatever_was_kept(kept: tuple[object, ...]) -> None:
    repeat = recall(json.dumps(kept).encode())
    assert repeat is None or repeat.judgement.complete


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
    assert seen_key(event, "harmless", [policy()]) != seen_key(event, "other", [policy()])


def test_an_event_to_be_judged_under_another_version_is_another_event() -> None:
    event, edited = chat_event(), policy(version="00000000000000bb")
    assert seen_key(event, "text", [policy()]) != seen_key(event, "text", [edited])
    assert seen_key(event, "text", [policy()]) != seen_key(event, "text", [policy(), edited])


def test_the_order_of_the_policies_does_not_make_another_event() -> None:
    one, other = policy(), policy(version="00000000000000bb")
    event = chat_event()
    assert seen_key(event, "text", [one, other]) == seen_key(event, "text", [other, one])


@given(st.lists(st.text(max_size=4), min_size=2, max_size=2), st.text(max_size=4))
def test_parts_of_a_key_do_not_run_into_each_other(ids: list[str], content: str) -> None:
    one = chat_event(event_id="x" + ids[0], conversation_id="y" + ids[1])
    other = chat_event(event_id="x" + ids[0] + "y", conversation_id=ids[1] + "z")
    assert seen_key(one, content, []) != seen_key(other, content, [])
