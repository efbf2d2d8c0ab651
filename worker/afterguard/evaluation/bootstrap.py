"""Bootstrap: how far a figure could have come out otherwise, had other rows been labelled.

Percentile intervals over resamples of whole groups, from a seed. They say nothing of wrong labels,
nor of traffic that is unlike the data.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from afterguard.evaluation.weighted import Measure, Numbers, Rows, weighted

RESAMPLES: Final = 2_000
LEVEL: Final = 0.95
# Weights in one matrix: 8 MB, which a processor's cache holds in part.
_AT_ONCE: Final = 1_000_000
# Below this share the resamples in which the figure exists are no fair picture of all.
_LEAST_SHARE: Final = 0.5


class Interval(NamedTuple):
    """Where a figure lies, with a confidence of `LEVEL`.

    Attributes:
        low: None when there is no interval.
        high: None when there is no interval.
        reason: Why there is no interval, or why it says less than it seems; else empty.
    """

    low: float | None
    high: float | None
    reason: str = ""


def intervals(
    rows: Rows,
    measures: Iterable[Measure],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[Measure, Interval]:
    """An interval for each measure, all from the same resamples.

    Args:
        rows: The labelled rows.
        measures: What is measured.
        resamples: How often the groups are drawn.
        seed: Equal seeds give equal intervals.
    """
    wanted = list(measures)
    drawn: dict[Measure, list[Numbers]] = {measure: [] for measure in wanted}
    for weights in weightings(rows, resamples=resamples, seed=seed):
        for measure, values in weighted(wanted, rows, weights).items():
            drawn[measure].append(values)
    return {measure: percentiles(values) for measure, values in drawn.items()}


def weightings(rows: Rows, *, resamples: int, seed: int = 0) -> Iterator[Numbers]:
    """Resamples as weights of the rows, some at a time; none when there are not two groups."""
    groups = rows.group_count
    if groups < 2:
        return
    random = np.random.default_rng(seed)
    at_once = max(1, _AT_ONCE // max(len(rows.labels), groups))
    for begin in range(0, resamples, at_once):
        many = min(at_once, resamples - begin)
        drawn = random.integers(0, groups, (many, groups)) + np.arange(many)[:, None] * groups
        counts = np.bincount(drawn.ravel(), minlength=many * groups).reshape(many, groups)
        yield counts[:, rows.groups].astype(np.float64)


def percentiles(parts: Sequence[Numbers]) -> Interval:
    """The interval that resampled values span.

    Args:
        parts: Together one value for each resample; not a number where the figure does not exist.
    """
    if not parts:
        return Interval(None, None, "needs at least two groups of rows")
    values = np.concatenate(parts)
    exist = values[~np.isnan(values)]
    if len(exist) < _LEAST_SHARE * len(values) or not len(exist):
        return Interval(None, None, "the figure exists in too few resamples")
    low, high = np.quantile(exist, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    flat = "all resamples agree, which is no certainty" if np.ptp(exist) == 0 else ""
    return Interval(float(low), float(high), flat)
