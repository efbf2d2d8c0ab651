"""Faults of documents: how the word of a model's validation is told, and many of them at once."""

from collections.abc import Iterable
from typing import Any

from afterguard.contracts.errors import PolicyError


def in_words(fault: Any, fields: Iterable[str]) -> str:  # noqa: ANN401 (as pydantic gives it)
    """What is wrong with a field.

    Args:
        fault: One of those of a `ValidationError`.
        fields: Those that there are, where it is one that nobody knows.
    """
    message: str = fault["msg"]
    if fault["type"] == "extra_forbidden":
        message = f"no such field; there are {', '.join(fields)}"
    elif fault["type"] == "value_error":
        message = str(fault["ctx"]["error"])
    return message


def together(faults: Iterable[PolicyError]) -> PolicyError:
    """The first fault by line; `others` of it holds the rest."""
    first, *others = sorted(faults, key=lambda fault: fault.line or 0)
    first.others = tuple(others)
    return first
