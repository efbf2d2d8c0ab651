"""Both chat formats with their real tokenizers, each made once."""

from functools import cache

from afterguard.contracts.words import Effort
from afterguard.embedded.model import prepare_model
from afterguard.engine.formats.chat_template import ChatTemplate
from afterguard.engine.formats.harmony import Harmony

CAPS = {Effort.LOW: 16, Effort.MEDIUM: 32, Effort.HIGH: 64}


@cache
def harmony() -> Harmony:
    """The format of gpt-oss."""
    return Harmony(CAPS)


@cache
def chat_template() -> ChatTemplate:
    """The format of SmolLM2, whose template is ChatML."""
    from transformers import AutoTokenizer

    return ChatTemplate(AutoTokenizer.from_pretrained(prepare_model()), CAPS)
