"""Harmony: rendered as the model was trained, read back message by message."""

import json
from datetime import datetime

import openai_harmony as official
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import samples
from tests.engine.formats import CAPS, harmony

from afterguard.contracts.words import Effort
from afterguard.engine.formats.harmony import CONVERSATION_DATE, Harmony
from afterguard.engine.prompt import instructions

_ENCODING = official.load_harmony_encoding(official.HarmonyEncodingName.HARMONY_GPT_OSS)
_ANSWER = '{"violation":1,"rules":["H1"]}'


def _written(text: str) -> list[int]:
    """Tokens of an output, control tokens included."""
    ids: list[int] = _ENCODING.encode(text, allowed_special="all")
    return ids


def test_a_prompt_is_what_the_official_renderer_makes_of_the_conversation() -> None:
    policy = samples.policy()
    system = (
        official.SystemContent.new()
        .with_reasoning_effort(official.ReasoningEffort.LOW)
        .with_conversation_start_date(CONVERSATION_DATE)
    )
    developer = official.DeveloperContent.new().with_instructions(instructions(policy))
    conversation = official.Conversation.from_messages(
        [
            official.Message.from_role_and_content(official.Role.SYSTEM, system),
            official.Message.from_role_and_content(official.Role.DEVELOPER, developer),
            official.Message.from_role_and_content(official.Role.USER, "hello there"),
        ]
    )
    expected = _ENCODING.render_conversation_for_completion(conversation, official.Role.ASSISTANT)
    assert harmony().render(policy, Effort.LOW, "hello there") == expected


@pytest.mark.parametrize("effort", Effort)
def test_the_effort_is_written_into_the_system_message(effort: Effort) -> None:
    prefix = harmony().prefix(samples.policy(), effort)
    assert f"Reasoning: {effort.value}" in _ENCODING.decode(prefix)


def test_a_prefix_is_the_same_for_all_contents_and_on_all_days() -> None:
    policy = samples.policy()
    prefix = harmony().prefix(policy, Effort.LOW)
    assert harmony().prefix(policy, Effort.LOW) is prefix
    assert Harmony(CAPS).prefix(policy, Effort.LOW) == prefix
    text = _ENCODING.decode(prefix)
    assert CONVERSATION_DATE in text
    assert datetime.now().astimezone().date().isoformat() not in text.replace(CONVERSATION_DATE, "")


def test_a_new_version_of_a_policy_has_a_prefix_of_its_own() -> None:
    old, new = samples.policy(), samples.policy(version="00000000000000cc", body="New.")
    assert harmony().prefix(old, Effort.LOW) != harmony().prefix(new, Effort.LOW)


@given(st.text())
def test_a_content_is_read_back_as_it_was(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    assert harmony().decode(harmony().encode(text)) == clean


def test_a_long_content_takes_time_that_grows_with_its_length_alone() -> None:
    text = "a" * 300_000
    assert harmony().decode(harmony().encode(text)) == text


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_cutting_between_words_loses_nothing(words: int, letters: int) -> None:
    text = "word " * words + "x" * letters
    assert harmony().decode(harmony().encode(text)) == text


def test_the_parts_of_an_output_are_told_apart() -> None:
    output = _written(
        "<|channel|>analysis<|message|>An insult.<|end|><|start|>assistant<|channel|>final "
        f"<|constrain|>json<|message|>{_ANSWER}<|return|>"
    )
    assert harmony().parse(output) == ("An insult.", _ANSWER)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "<|channel|>",
        "<|channel|>analysis<|message|>cut",
        f"<|channel|>analysis<|message|>{_ANSWER}<|end|>",
        f"<|channel|>commentary<|message|>{_ANSWER}<|end|>",
        f"{_ANSWER}",
        f"<|message|>{_ANSWER}<|end|>",
        f"<|channel|>finally<|message|>{_ANSWER}<|return|>",
    ],
)
def test_what_is_not_in_the_final_channel_is_no_answer(written: str) -> None:
    assert harmony().parse(_written(written)).answer == ""


@given(
    st.lists(
        st.sampled_from(
            ["<|channel|>", "<|message|>", "<|start|>", "<|end|>", "analysis", "final", _ANSWER]
        )
    )
)
def test_no_output_raises(pieces: list[str]) -> None:
    parts = harmony().parse(_written("".join(pieces)))
    assert "<|" not in parts.reasoning + parts.answer


def test_the_tag_holds_the_whole_turn_and_caps_the_reasoning() -> None:
    elements = json.loads(harmony().grammar(samples.policy(), Effort.HIGH))["format"]["elements"]
    free = [element for element in elements if element["type"] == "any_tokens"]
    assert [element["max_tokens"] for element in free] == [CAPS[Effort.HIGH]]
    assert set(range(199_998, 200_019)) <= set(free[0]["exclude_tokens"])
    assert elements[0] == {"type": "token", "token": 200_005}


def test_the_labels_are_single_tokens() -> None:
    zero, one = harmony().labels
    assert (_ENCODING.decode([zero]), _ENCODING.decode([one])) == ("0", "1")
