"""Paired comparison: whether a second run on the same rows is better or worse than the first.

Both runs are resampled together, so that what is hard for both does not blur the difference. For
labels McNemar's test (1947; exact where few rows changed, after Fagerland and others 2013) counts
only the rows on which one run is right and the other wrong.
"""

from collections.abc import Hashable, Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from afterguard.evaluation.bootstrap import RESAMPLES, Interval, percentiles, weightings
from afterguard.evaluation.measures import Figure, Flags, Labels, ScoreRow
from afterguard.evaluation.weighted import Measure, Numbers, Rows, figure, rows_of, weighted

# Beyond, the exact test and the normal one agree to the third digit.
_EXACT_UP_TO: Final = 1_000


class Change(StrEnum):
    """What became of a figure from the first run to the second."""

    REGRESSION = "regression"
    UNPROVEN_DROP = "unproven_drop"
    SAME = "same"
    IMPROVEMENT = "improvement"
    INCOMPARABLE = "incomparable"


class Answers(NamedTuple):
    """What one run said of the rows, in their order."""

    flagged: Flags
    scores: ScoreRow | None = None


class McNemar(NamedTuple):
    """Rows on which exactly one of the runs is right.

    Attributes:
        only_first: The first is right and the second wrong.
        only_second: The second is right and the first wrong.
        p: The chance of a split at least as uneven if the runs were equally good.
        exact: Whether `p` is of the binomial distribution itself.
    """

    only_first: int
    only_second: int
    p: float
    exact: bool


class Difference(NamedTuple):
    """One measure in both runs.

    Attributes:
        measure: Which one.
        first: In the first run.
        second: In the second run.
        difference: Second less first.
        interval: Of the difference.
        change: What that means; see `compare`.
    """

    measure: Measure
    first: Figure
    second: Figure
    difference: Figure
    interval: Interval
    change: Change


def mcnemar(expected: Labels, first: Flags, second: Flags) -> McNemar:
    """McNemar's test of two runs' flags; rows of unknown label are left out."""
    from scipy.stats import binomtest, chi2  # noqa: PLC0415 (takes a moment to load)

    known = [
        (one == label, two == label)
        for label, one, two in zip(expected, first, second, strict=True)
        if label is not None
    ]
    only_first = sum(one and not two for one, two in known)
    only_second = sum(two and not one for one, two in known)
    changed = only_first + only_second
    if not changed:
        return McNemar(0, 0, 1.0, exact=True)
    if changed <= _EXACT_UP_TO:
        p = binomtest(only_first, changed, 0.5).pvalue
        return McNemar(only_first, only_second, float(p), exact=True)
    statistic = (abs(only_first - only_second) - 1) ** 2 / changed
    return McNemar(only_first, only_second, float(chi2.sf(statistic, 1)), exact=False)


def compare(
    expected: Labels,
    first: Answers,
    second: Answers,
    measures: Iterable[Measure],
    *,
    groups: Sequence[Hashable] | None = None,
    tolerance: float = 0.0,
    resamples: int = RESAMPLES,
) -> list[Difference]:
    """Each measure in both runs, and whether it became worse.

    A regression is a fall that is larger than the tolerance and that chance does not explain: the
    whole interval of the difference lies on the wrong side of zero. A fall beyond the tolerance
    that chance may explain is an unproven drop; more rows would tell. Rises are judged alike.

    Args:
        expected: Whether each row violates; None when nobody knows.
        first: The answers that were there before.
        second: The answers to be judged.
        measures: What is measured.
        groups: Which rows belong together; each row by itself when absent.
        tolerance: A difference up to this does not matter, at least 0.
        resamples: How often the groups are drawn.
    """
    one_scores, two_scores = _scored_by_both(first.scores, second.scores)
    one = rows_of(expected, first.flagged, one_scores, groups)
    two = rows_of(expected, second.flagged, two_scores, groups)
    wanted = list(measures)
    drawn: dict[Measure, list[Numbers]] = {measure: [] for measure in wanted}
    for weights in weightings(one, resamples=resamples):
        before, after = weighted(wanted, one, weights), weighted(wanted, two, weights)
        for measure in wanted:
            drawn[measure].append(after[measure] - before[measure])
    return [
        _difference(measure, (one, two), percentiles(values), tolerance)
        for measure, values in drawn.items()
    ]


def _scored_by_both(
    first: ScoreRow | None, second: ScoreRow | None
) -> tuple[ScoreRow | None, ScoreRow | None]:
    """The scores of rows that both runs scored; a run without any leaves the other its own."""
    if first is None or second is None or not (_any(first) and _any(second)):
        return first, second
    both = [one is not None and two is not None for one, two in zip(first, second, strict=True)]
    return (
        [score if keep else None for score, keep in zip(first, both, strict=True)],
        [score if keep else None for score, keep in zip(second, both, strict=True)],
    )


def _any(scores: ScoreRow) -> bool:
    return any(score is not None for score in scores)


def _difference(
    measure: Measure, runs: tuple[Rows, Rows], interval: Interval, tolerance: float
) -> Difference:
    first, second = (figure(measure, rows) for rows in runs)
    if first.value is None or second.value is None:
        missing = Figure(None, first.reason or second.reason)
        nothing = interval._replace(low=None, high=None, reason=missing.reason)
        return Difference(measure, first, second, missing, nothing, Change.INCOMPARABLE)
    difference = second.value - first.value
    gain = -difference if measure.less_is_better else difference
    certain = _certain(difference, interval)
    change = Change.SAME
    if gain < -tolerance:
        change = Change.REGRESSION if certain else Change.UNPROVEN_DROP
    elif gain > tolerance and certain:
        change = Change.IMPROVEMENT
    return Difference(measure, first, second, Figure(difference), interval, change)


def _certain(difference: float, interval: Interval) -> bool:
    if interval.low is None or interval.high is None:
        return False
    return interval.high < 0 if difference < 0 else interval.low > 0
