"""The interval of a share by Wilson (1927): within 0 and 1, also where all or none are hits."""

from math import sqrt
from statistics import NormalDist
from typing import Final, NamedTuple

_Z: Final = NormalDist().inv_cdf(0.975)


class Share(NamedTuple):
    """A share with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: int, of: int) -> Share:
    """A share with its 95 % interval.

    Args:
        hits: So many.
        of: Of so many; above 0.
    """
    share, z2 = hits / of, _Z * _Z
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    # At 0 and 1 the ends meet the share; a last digit must not part them.
    return Share(share, max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half)))
