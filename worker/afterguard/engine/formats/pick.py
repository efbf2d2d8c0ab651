"""Which chat format a model has."""

from collections.abc import Callable
from typing import Any

from afterguard.engine.formats.chat_format import ChatFormat
from afterguard.engine.formats.chat_template import ChatTemplate
from afterguard.engine.formats.harmony import Harmony
from afterguard.engine.settings import EngineSettings


def pick_format(
    settings: EngineSettings, model_type: str, tokenizer: Callable[[], Any]
) -> ChatFormat:
    """The format that `engine.format` names, or with `auto` that of the model.

    Args:
        settings: The `engine` section.
        model_type: As the model's own configuration has it, such as `gpt_oss`.
        tokenizer: Gives the model's tokenizer; asked only by formats that need it.

    Raises:
        EngineUnavailable: The format cannot be used with this model.
    """
    if speaks_harmony(settings, model_type):
        return Harmony(settings.reasoning_max_tokens)
    return ChatTemplate(tokenizer(), settings.reasoning_max_tokens)


def speaks_harmony(settings: EngineSettings, model_type: str = "") -> bool:
    """Whether the model reads and writes harmony; without a `model_type` its name decides."""
    if settings.format != "auto":
        return settings.format == "harmony"
    return model_type == "gpt_oss" or (not model_type and "gpt-oss" in settings.model.lower())
