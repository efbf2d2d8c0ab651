"""Stored outputs of models and what became of each: a change of the parser shows here.

A history is an output as text, control tokens included, in the format it was written in. To take
up a new one, add it with the outcome that it must have.
"""

import json
from pathlib import Path
from typing import Any

import openai_harmony as official
import pytest
from tests import samples
from tests.conftest import missing
from tests.engine.formats import chat_template, harmony

from afterguard.contracts.errors import AfterguardError
from afterguard.engine.completion import Completion, judgement
from afterguard.engine.formats.chat_format import ChatFormat

_FOLDER = Path(__file__).parent / "histories"
_HISTORIES = [
    pytest.param(file.stem, history, id=f"{file.stem}: {history['about']}")
    for file in sorted(_FOLDER.glob("*.json"))
    for history in json.loads(file.read_text())
]


def _read(written_in: str, text: str) -> tuple[ChatFormat, list[int]]:
    if written_in == "harmony":
        encoding = official.load_harmony_encoding(official.HarmonyEncodingName.HARMONY_GPT_OSS)
        return harmony(), encoding.encode(text, allowed_special="all")
    try:
        chosen = chat_template()
    except AfterguardError as error:
        missing(f"the demo's model ({error})")
        raise
    return chosen, chosen._tokenizer.encode(text, add_special_tokens=False)


@pytest.mark.parametrize(("written_in", "history"), _HISTORIES)
def test_a_stored_output_has_the_outcome_it_had(written_in: str, history: dict[str, Any]) -> None:
    chosen, ids = _read(written_in, history["output"])
    completion = Completion(ids, history.get("cut", False), None, 1, 0)
    made = judgement(chosen, completion, (samples.policy(),))
    assert {
        "status": made.status.value,
        "violation": made.violation,
        "rule_ids": list(made.rule_ids),
    } == history["outcome"]


def test_there_are_histories_of_both_formats() -> None:
    assert {param.values[0] for param in _HISTORIES} == {"harmony", "chat-template"}
