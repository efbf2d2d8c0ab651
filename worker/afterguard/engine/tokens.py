"""How many tokens a content will be, roughly and fast: for the budget of work in flight.

Measured with the o200k_harmony vocabulary: English prose has 4 to 5 characters a token, other
scripts 2 to 6 bytes of UTF-8. A third of the characters, or half of the bytes where there is
more than ASCII, is above the truth for nearly every text that people write; random strings and
control characters may be above the estimate, at most three times.
"""

from collections.abc import Sequence
from typing import Protocol


class HasText(Protocol):
    """One turn of a conversation."""

    @property
    def text(self) -> str:
        """What was said."""
        ...


# The header line before a content, and the role of a turn.
_HEADER_TOKENS = 24
_TURN_TOKENS = 8


def estimate_tokens(content: str | Sequence[HasText]) -> int:
    """Tokens of a content, header included; never below 1."""
    if isinstance(content, str):
        return _HEADER_TOKENS + _of_text(content)
    return _HEADER_TOKENS + sum(_TURN_TOKENS + _of_text(turn.text) for turn in content)


def _of_text(text: str) -> int:
    if text.isascii():
        return len(text) // 3 + 1
    return len(text.encode("utf-8", "replace")) // 2 + 1
