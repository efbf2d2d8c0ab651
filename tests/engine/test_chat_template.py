"""Chat templates: whatever the model's own template makes, with the content as plain text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import samples
from tests.conftest import missing
from tests.engine.formats import CAPS, chat_template

from afterguard.contracts.errors import AfterguardError, EngineUnavailable
from afterguard.contracts.words import Effort
from afterguard.engine.formats.chat_template import ChatTemplate
from afterguard.engine.prompt import instructions

_ANSWER = '{"violation":0,"rules":[]}'


@pytest.fixture(autouse=True)
def _the_model_is_here() -> None:
    try:
        chat_template()
    except AfterguardError as error:
        missing(f"the demo's model ({error})")


class _ToldTemplate:
    """A real tokenizer whose template is another."""

    def __init__(self, template: str) -> None:
        self._real = chat_template()._tokenizer
        self.chat_template = template

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def apply_chat_template(self, messages: Any, **options: Any) -> Any:
        return self._real.apply_chat_template(messages, chat_template=self.chat_template, **options)


def test_a_prompt_is_what_the_template_makes_of_the_messages() -> None:
    policy = samples.policy()
    tokenizer = chat_template()._tokenizer
    messages = [
        {"role": "system", "content": instructions(policy)},
        {"role": "user", "content": "hello there"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    rendered = chat_template().render(policy, Effort.LOW, "hello there")
    assert rendered == tokenizer.encode(text, add_special_tokens=False)


def test_a_prefix_is_the_same_for_all_contents() -> None:
    policy = samples.policy()
    assert chat_template().prefix(policy, Effort.LOW) is chat_template().prefix(policy, Effort.LOW)


@given(st.text())
def test_ordinary_text_becomes_the_tokens_that_the_model_knows_for_it(text: str) -> None:
    clean = text.encode("utf-8", "replace").decode()
    known = chat_template()._tokenizer.encode(clean, add_special_tokens=False)
    assert chat_template().encode(text) == known


def test_a_template_without_system_messages_gets_the_policy_in_the_user_message() -> None:
    template = (
        "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('none') }}"
        "{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    told = ChatTemplate(_ToldTemplate(template), CAPS)
    text = told._tokenizer.decode(told.render(samples.policy(), Effort.LOW, "hello"))
    assert text.count("<|im_start|>") == 2
    assert text.index("## Instruction") < text.index("hello")


def test_a_template_that_shows_no_messages_cannot_be_used() -> None:
    told = ChatTemplate(_ToldTemplate("{{ 'nothing' }}"), CAPS)
    with pytest.raises(EngineUnavailable, match=r"engine\.model"):
        told.prefix(samples.policy(), Effort.LOW)


def test_a_model_without_a_chat_template_cannot_be_used() -> None:
    with pytest.raises(EngineUnavailable, match=r"engine\.model.*chat template"):
        ChatTemplate(_ToldTemplate(""), CAPS)


@pytest.mark.parametrize(
    ("written", "parts"),
    [
        (f"It is a greeting.\n{_ANSWER}", ("It is a greeting.", _ANSWER)),
        (f"<think>Hm.</think>{_ANSWER}", ("<think>Hm.</think>", _ANSWER)),
        (f"<think>{_ANSWER}</think>I cannot say", (f"<think>{_ANSWER}", "I cannot say")),
        ("", ("", "")),
        ("only thoughts", ("", "only thoughts")),
    ],
)
def test_all_before_the_answer_is_reasoning(written: str, parts: tuple[str, str]) -> None:
    ids = chat_template()._tokenizer.encode(written, add_special_tokens=False)
    assert chat_template().parse(ids) == parts


def test_the_tag_caps_the_reasoning_and_keeps_control_tokens_out_of_it() -> None:
    elements = json.loads(chat_template().grammar(samples.policy(), Effort.LOW))["format"][
        "elements"
    ]
    assert elements[0]["max_tokens"] == CAPS[Effort.LOW]
    end_of_turn = chat_template()._tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert end_of_turn in elements[0]["exclude_tokens"]
