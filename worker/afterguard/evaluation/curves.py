"""Curves as plain numbers, for plots: precision and recall, true and false alarms, reliability."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from afterguard.evaluation.measures import Labels, ScoreRow, scored
from afterguard.evaluation.wilson import wilson
from afterguard.policy.calibration_document import ReliabilityBin

BINS: Final = 10
# A plot shows no more, and a report of a large run stays small.
_MOST_POINTS: Final = 400


class CurvePoint(NamedTuple):
    """One point of a curve.

    Attributes:
        x: Recall, or the share of false alarms.
        y: Precision, or recall.
        threshold: The score from which rows are flagged there; None where the curve only begins.
    """

    x: float
    y: float
    threshold: float | None


class Bin(NamedTuple):
    """Rows of neighbouring scores.

    Attributes:
        rows: How many.
        lowest: Their lowest score.
        highest: Their highest score.
        score: Their mean score: what is promised.
        share: The share of them that violates: what came true.
        low: Lower end of the 95 % interval of `share` (Wilson 1927).
        high: Upper end.
    """

    rows: int
    lowest: float
    highest: float
    score: float
    share: float
    low: float
    high: float


def precision_recall_curve(expected: Labels, scores: ScoreRow) -> list[CurvePoint]:
    """Precision over recall, from the highest threshold to the lowest; empty when undefined."""
    from sklearn.metrics import precision_recall_curve as curve  # noqa: PLC0415 (an extra)

    rows = scored(expected, scores)
    if not rows.positives or not rows.negatives:
        return []
    precision, recall, thresholds = curve(rows.labels, rows.scores)
    points = [
        CurvePoint(float(x), float(y), float(threshold))
        for x, y, threshold in zip(recall, precision, thresholds, strict=False)
    ]
    return _thinned([CurvePoint(0.0, 1.0, None), *reversed(points)])


def roc_curve(expected: Labels, scores: ScoreRow) -> list[CurvePoint]:
    """Recall over the share of false alarms, from (0, 0) to (1, 1); empty when undefined."""
    from sklearn.metrics import roc_curve as curve  # noqa: PLC0415 (an extra)

    rows = scored(expected, scores)
    if not rows.positives or not rows.negatives:
        return []
    alarms, recall, thresholds = curve(rows.labels, rows.scores)
    return _thinned(
        [
            CurvePoint(float(x), float(y), float(threshold) if number else None)
            for number, (x, y, threshold) in enumerate(zip(alarms, recall, thresholds, strict=True))
        ]
    )


def reliability(expected: Labels, scores: ScoreRow, bins: int = BINS) -> list[Bin]:
    """What scores promise beside what came true, in bins of about equally many rows.

    Bins of equal width would leave most of them empty, for scores crowd at 0 and 1. Equal scores
    share a bin, so there may be fewer bins than asked for.

    Args:
        expected: Whether each row violates; None when nobody knows.
        scores: One each; None where there is none.
        bins: The most that are made.
    """
    rows = scored(expected, scores)
    ranked = sorted(zip(rows.scores, rows.labels, strict=True))
    return [_bin(part) for part in _parts(ranked, max(1, bins))]


def calibration_error(bins: Sequence[Bin | ReliabilityBin]) -> float | None:
    """The mean distance of promise and truth over the rows of the bins; None without any."""
    rows = sum(it.rows for it in bins)
    return sum(it.rows * abs(it.score - it.share) for it in bins) / rows if rows else None


def _parts(ranked: Sequence[tuple[float, bool]], bins: int) -> Iterator[list[tuple[float, bool]]]:
    begin = 0
    for number in range(1, bins + 1):
        end = max(begin, round(number * len(ranked) / bins))
        while 0 < end < len(ranked) and ranked[end][0] == ranked[end - 1][0]:
            end += 1
        if end > begin:
            yield list(ranked[begin:end])
        begin = end


def _bin(part: Sequence[tuple[float, bool]]) -> Bin:
    share = wilson(sum(label for _, label in part), len(part))
    mean = sum(score for score, _ in part) / len(part)
    return Bin(len(part), part[0][0], part[-1][0], mean, *share)


def _thinned(points: list[CurvePoint]) -> list[CurvePoint]:
    if len(points) <= _MOST_POINTS:
        return points
    step = (len(points) - 1) / (_MOST_POINTS - 1)
    return [points[round(number * step)] for number in range(_MOST_POINTS)]
