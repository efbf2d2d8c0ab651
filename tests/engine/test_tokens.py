"""The estimate errs on the high side for what people write, and never far on the low side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai_harmony import HarmonyEncodingName, load_harmony_encoding

from afterguard.contracts.events import Turn
from afterguard.contracts.words import Role
from afterguard.engine.tokens import estimate_tokens

_ENCODING = load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)
_SAID = [
    "Good morning! Does anybody want to play tonight? I can be there at eight.",
    "lol u r so bad at this game uninstall pls",
    "Ich wei\u00df nicht, ob das eine gute Idee ist; fragen wir lieber noch einmal nach.",
    "\u0421\u0435\u0433\u043e\u0434\u043d\u044f \u0432\u0435\u0447\u0435\u0440\u043e\u043c",
    "\u4eca\u665a\u6709\u4eba\u60f3\u4e00\u8d77\u73a9\u5417\uff1f\u6211\u516b\u70b9\u5230",
    "\u0645\u0631\u062d\u0628\u0627 \u0643\u064a\u0641 \u062d\u0627\u0644\u0643",
    "\U0001f600\U0001f525\U0001f1e9\U0001f1ea \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "def f(x):\n    return {k: v for k, v in x.items() if v}",
    "https://example.org/path?id=12345&token=abc#top",
]


def _true(text: str) -> int:
    return len(_ENCODING.encode(text, allowed_special=set(), disallowed_special=()))


@pytest.mark.parametrize("text", _SAID)
def test_what_people_write_is_never_more_than_estimated(text: str) -> None:
    assert _true(text) <= estimate_tokens(text)


@given(st.text())
def test_no_text_is_more_than_three_times_the_estimate(text: str) -> None:
    assert _true(text.encode("utf-8", "replace").decode()) <= 3 * estimate_tokens(text)


@given(st.text(max_size=50), st.text(max_size=50))
def test_more_text_is_never_less(first: str, second: str) -> None:
    assert estimate_tokens(first + second) >= estimate_tokens(first) - 1


def test_a_conversation_counts_each_of_its_turns() -> None:
    turns = [Turn(role=Role.USER, text="hello") for _ in range(3)]
    assert estimate_tokens(turns) > estimate_tokens(turns[:1]) > estimate_tokens([]) > 0
