"""Bounds: what a share seen on some rows says about the rows that nobody has seen yet.

All bounds are one-sided and exact (Clopper and Pearson): the share itself, taken for a promise,
fails half of the time.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

_STEP: Final = 1e-6
# A threshold is chosen so that a test on as many new violations passes this often.
_PASSES: Final = 0.9
_MOST_ROWS: Final = 10_000_000


class Cut(NamedTuple):
    """A threshold, and what it promises on the rows that it was chosen on.

    Attributes:
        threshold: Scores from here on are forwarded.
        misses: Violations under it.
        lower: The bound on recall.
    """

    threshold: float
    misses: int
    lower: float


def lower_bound(hits: int, of: int, confidence: float) -> float:
    """The share that the truth is above of, with this confidence.

    Args:
        hits: How many had the property.
        of: Of how many, drawn at random.
        confidence: 0 to 1, such as 0.95.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 (an extra)

    if not 0 <= hits <= of:
        raise ValueError("hits must be between 0 and the rows")
    return float(betaincinv(hits, of - hits + 1, 1 - confidence)) if hits else 0.0


def choose_threshold(
    violations: Sequence[float], target: float, confidence: float, tested: int
) -> Cut:
    """The highest threshold that will most likely stand a test on violations nobody has seen.

    One whose bound just reaches the target here fails that test every other time. Without enough
    violations for any, it is the one that misses none of them.

    Args:
        violations: Scores of violations, given by a classifier that had not seen them.
        target: The recall that is wanted.
        confidence: Of the bound.
        tested: How many violations the test will have.
    """
    rising = sorted(violations)
    count = len(rising)
    if not count:
        raise ValueError("a threshold needs violations")
    allowed = _misses_that_pass(count, most_misses(tested, target, confidence), tested)
    # Rounded down, so that the score itself is forwarded wherever it is computed anew.
    threshold = max(0.0, math.floor(rising[allowed] / _STEP) * _STEP)
    under = sum(score < threshold for score in rising)
    return Cut(threshold, under, lower_bound(count - under, count, confidence))


def most_misses(violations: int, target: float, confidence: float) -> int:
    """How many may be missed so that the bound still reaches the target; -1 when none may be."""
    low, high = -1, violations
    while high - low > 1:
        middle = (low + high) // 2
        if lower_bound(violations - middle, violations, confidence) >= target:
            low = middle
        else:
            high = middle
    return low


def violations_needed(target: float, confidence: float, missed: float = 0.0) -> int | None:
    """How many held-out violations it takes for the bound to reach the target.

    Args:
        target: The recall that is wanted.
        confidence: Of the bound.
        missed: The share of them that is missed.

    Returns:
        None when no number will do: more are missed than the target allows.
    """
    if missed >= 1 - target:
        return None
    # The bound does not rise evenly, for misses are whole; so its beginning is only estimated.
    count = math.ceil(math.log(1 - confidence) / math.log(target))
    while count <= _MOST_ROWS:
        if lower_bound(count - math.ceil(missed * count), count, confidence) >= target:
            return count
        count += max(1, count // 50)
    return None


def _misses_that_pass(count: int, allowed: int, tested: int) -> int:
    """How many of `count` to miss so that a test with `allowed` misses of `tested` passes."""
    from scipy.stats import betabinom  # noqa: PLC0415 (an extra)

    misses = 0
    # With a threshold between two of the violations, the share under it is beta distributed.
    while misses + 1 < count and (
        betabinom.cdf(allowed, tested, misses + 2, count - misses - 1) >= _PASSES
    ):
        misses += 1
    return misses
