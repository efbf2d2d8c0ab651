"""Whether a series of measurements stays flat; pure."""

from collections.abc import Sequence
from statistics import linear_regression, median
from typing import NamedTuple


class Flatness(NamedTuple):
    """How a series went.

    Attributes:
        median: Of the part that counts.
        growth: What a straight line through that part rises by, from its begin to its end.
        allowed: The most it may rise by.
    """

    median: float
    growth: float
    allowed: float

    @property
    def flat(self) -> bool:
        """Whether it rises by no more than allowed."""
        return self.growth <= self.allowed


def flatness(
    times: Sequence[float],
    values: Sequence[float],
    *,
    warm_up: float,
    share: float,
    least: float,
) -> Flatness:
    """How flat a series is.

    Args:
        times: When each was measured.
        values: What was measured.
        warm_up: Measurements before this time do not count.
        share: The line may rise by this share of the median, ...
        least: ... or by this much, whichever is more.

    Raises:
        ValueError: Fewer than three measurements count.
    """
    counted = [(at, value) for at, value in zip(times, values, strict=True) if at >= warm_up]
    if len(counted) < 3:
        raise ValueError("too few measurements after the warm-up")
    at, value = zip(*counted, strict=True)
    slope = linear_regression(at, value).slope
    middle = median(value)
    return Flatness(middle, slope * (at[-1] - at[0]), max(least, share * middle))
