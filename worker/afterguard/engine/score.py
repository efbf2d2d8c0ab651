"""P(violation): what the model thought of both labels at the place where it wrote one.

A model that has reasoned first is usually near 0 or 1 here: the score orders verdicts and shows
doubt, it is no calibrated probability.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

# Below this the model wanted to write something that is no label; the rest is noise.
LEAST_LABEL_MASS: Final = 0.01
_CONTEXT: Final = 12
# A policy's id stands before the label too, and may take as many tokens as it has characters.
_LONG_CONTEXT: Final = 96
_WHOSE: Final = re.compile(r'"policy"\s*:\s*"([^"]*)"\s*,\s*"violation"\s*:[\s"]*\Z')

Token = TypeVar("Token")


def verdict_position(
    tokens: Sequence[Token],
    labels: tuple[Token, Token],
    decode: Callable[[Sequence[Token]], str],
) -> int | None:
    """Where the label of the last answer stands; None when it is no token of its own.

    Args:
        tokens: What the model wrote, ids or texts.
        labels: The tokens of `0` and `1`.
        decode: Some tokens to their text.
    """
    return next(_from_the_end(tokens, labels, decode), None)


def verdict_positions(
    tokens: Sequence[Token],
    labels: tuple[Token, Token],
    decode: Callable[[Sequence[Token]], str],
) -> dict[str, int]:
    """Where the labels of the last combined answer stand, by policy id.

    A label that is no token of its own is left out, and so is one before which its policy does not
    stand.

    Args:
        tokens: As in `verdict_position`.
        labels: As in `verdict_position`.
        decode: As in `verdict_position`.
    """
    positions: dict[str, int] = {}
    for position in _from_the_end(tokens, labels, decode):
        whose = _WHOSE.search(decode(tokens[max(0, position - _LONG_CONTEXT) : position]))
        if whose is None:
            continue
        if whose.group(1) in positions:
            # The answer names each policy once: this belongs to something before it.
            break
        positions[whose.group(1)] = position
    return positions


def violation_score(
    logprobs: Mapping[Token, float], labels: tuple[Token, Token], *, label: bool
) -> float | None:
    """P(violation) out of the log-probabilities at the verdict's position.

    Args:
        logprobs: Natural logarithms for at least both labels.
        labels: The tokens of `0` and `1`.
        label: What the model wrote.

    Returns:
        The share of `1` in the mass of both labels; None when one is missing, no number, or the
        mass is below `LEAST_LABEL_MASS`.
    """
    zero, one = logprobs.get(labels[0]), logprobs.get(labels[1])
    if zero is None or one is None or math.isnan(zero) or math.isnan(one):
        return None
    if _exp(zero) + _exp(one) < LEAST_LABEL_MASS or (one if label else zero) == -math.inf:
        return None
    return _sigmoid(one - zero)


def _from_the_end(
    tokens: Sequence[Token],
    labels: tuple[Token, Token],
    decode: Callable[[Sequence[Token]], str],
) -> Iterator[int]:
    """Where labels stand that are tokens of their own, the last first."""
    for position in range(len(tokens) - 1, 0, -1):
        if tokens[position] in labels:
            before = decode(tokens[max(0, position - _CONTEXT) : position])
            if before.rstrip(' \n"').endswith('"violation":'):
                yield position


def _exp(value: float) -> float:
    return math.exp(min(value, 0.0))


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1 / (1 + math.exp(-min(value, 700.0)))
    grown = math.exp(max(value, -700.0))
    return grown / (1 + grown)
