"""Weighted measures: measures under many weightings of the same rows at once.

A resample is a weighting: how often each row was drawn. Sorting the rows by score once and weighing
them a thousand times is what makes intervals of rank measures affordable.
"""

from collections.abc import Hashable, Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from afterguard.evaluation.measures import (
    NO_NEGATIVES,
    NO_POSITIVES,
    NO_ROWS,
    NO_SCORES,
    NOTHING_FLAGGED,
    Figure,
    Flags,
    Labels,
    ScoreRow,
)

Numbers = npt.NDArray[np.float64]
Bits = npt.NDArray[np.bool_]


class Measure(StrEnum):
    """What can be measured of answers against labels.

    PR-AUC is average precision without interpolation: scores without any sense get the share of
    violations. ROC-AUC is the chance that a violation scores above a row that is none. Equal scores
    are one threshold to both.
    """

    PRECISION = "precision"
    RECALL = "recall"
    F1 = "f1"
    FALSE_POSITIVE_RATE = "false_positive_rate"
    ACCURACY = "accuracy"
    PR_AUC = "pr_auc"
    ROC_AUC = "roc_auc"
    BRIER = "brier"

    @property
    def less_is_better(self) -> bool:
        """Whether a fall of it is good news."""
        return self in {Measure.FALSE_POSITIVE_RATE, Measure.BRIER}


OF_SCORES: Final = frozenset({Measure.PR_AUC, Measure.ROC_AUC, Measure.BRIER})


class Rows(NamedTuple):
    """Labelled rows as arrays; rows of unknown label are not among them.

    Attributes:
        labels: Whether each violates.
        flags: Whether each was flagged.
        scores: Not a number where there is none.
        groups: From 0, without gaps.
        unknown: Rows that were left out for want of a label.
    """

    labels: Bits
    flags: Bits
    scores: Numbers
    groups: npt.NDArray[np.int64]
    unknown: int

    @property
    def group_count(self) -> int:
        """How many independent groups there are."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0


def rows_of(
    expected: Labels,
    flagged: Flags,
    scores: ScoreRow | None = None,
    groups: Sequence[Hashable] | None = None,
) -> Rows:
    """The labelled rows as arrays.

    Args:
        expected: Whether each row violates; None when nobody knows, which leaves the row out.
        flagged: Whether each row was flagged.
        scores: One each, None where there is none; none at all when absent.
        groups: Which rows belong together; each row by itself when absent.
    """
    count = len(expected)
    given = [None] * count if scores is None else scores
    together: Sequence[Hashable] = range(count) if groups is None else groups
    numbers: dict[Hashable, int] = {}
    kept = [
        (label, flag, np.nan if score is None else score, numbers.setdefault(group, len(numbers)))
        for label, flag, score, group in zip(expected, flagged, given, together, strict=True)
        if label is not None
    ]
    return Rows(
        np.array([row[0] for row in kept], dtype=np.bool_),
        np.array([row[1] for row in kept], dtype=np.bool_),
        np.array([row[2] for row in kept], dtype=np.float64),
        np.array([row[3] for row in kept], dtype=np.int64),
        count - len(kept),
    )


def figure(measure: Measure, rows: Rows) -> Figure:
    """A measure of the rows as they are, or why there is none."""
    value = weighted([measure], rows, np.ones((1, len(rows.labels))))[measure][0]
    return Figure(None, _missing(measure, rows)) if np.isnan(value) else Figure(float(value))


def weighted(measures: Iterable[Measure], rows: Rows, weights: Numbers) -> dict[Measure, Numbers]:
    """Measures under each weighting; not a number where one does not exist.

    Args:
        measures: Which ones; what several need is counted once.
        rows: The labelled rows.
        weights: One line for each weighting, with a weight of at least 0 for each row.
    """
    wanted = set(measures)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = _of_flags(rows, weights) if wanted - OF_SCORES else {}
        if wanted & OF_SCORES:
            has = ~np.isnan(rows.scores)
            found |= _of_scores(rows.scores[has], rows.labels[has], weights[:, has])
    return {measure: found[measure] for measure in wanted}


def _of_flags(rows: Rows, weights: Numbers) -> dict[Measure, Numbers]:
    labels, flags = rows.labels, rows.flags
    kinds = (labels & flags, ~labels & flags, labels & ~flags, ~labels & ~flags)
    counts = weights @ np.stack(kinds, axis=1).astype(np.float64)
    hits, false_alarms, misses, rest = counts.T
    return {
        Measure.PRECISION: hits / (hits + false_alarms),
        Measure.RECALL: hits / (hits + misses),
        Measure.F1: 2 * hits / (2 * hits + false_alarms + misses),
        Measure.FALSE_POSITIVE_RATE: false_alarms / (false_alarms + rest),
        Measure.ACCURACY: (hits + rest) / (hits + rest + false_alarms + misses),
    }


def _of_scores(scores: Numbers, labels: Bits, weights: Numbers) -> dict[Measure, Numbers]:
    brier = weights @ (scores - labels) ** 2 / weights.sum(axis=1)
    order = np.argsort(-scores, kind="stable")
    scores, labels, weights = scores[order], labels[order], weights[:, order]
    # Equal scores are one threshold: only where the score changes can a line be drawn.
    ends = np.append(np.flatnonzero(np.diff(scores)), np.arange(len(scores))[-1:])
    nothing = np.zeros((len(weights), 1))
    hits = np.hstack([nothing, np.cumsum(weights * labels, axis=1)[:, ends]])
    flagged = np.hstack([nothing, np.cumsum(weights, axis=1)[:, ends]])
    alarms = flagged - hits
    positives, negatives = hits[:, -1], alarms[:, -1]
    gained = np.diff(hits, axis=1)
    above = (alarms[:, 1:] + alarms[:, :-1]) / 2
    roc_auc = 1 - (gained * above).sum(axis=1) / (positives * negatives)
    reached = flagged[:, 1:]
    precision = np.divide(hits[:, 1:], reached, out=np.zeros_like(reached), where=reached > 0)
    pr_auc = (gained * precision).sum(axis=1) / positives
    # With rows of one kind alone every score would look perfect.
    alone = (positives == 0) | (negatives == 0)
    roc_auc[alone] = pr_auc[alone] = np.nan
    return {Measure.BRIER: brier, Measure.ROC_AUC: roc_auc, Measure.PR_AUC: pr_auc}


def _missing(measure: Measure, rows: Rows) -> str:
    """Why a measure does not exist."""
    if not len(rows.labels):
        return NO_ROWS
    counted = ~np.isnan(rows.scores) if measure in OF_SCORES else np.ones_like(rows.labels)
    if not counted.any():
        return NO_SCORES
    if measure is Measure.PRECISION:
        return NOTHING_FLAGGED
    if measure is not Measure.FALSE_POSITIVE_RATE and not rows.labels[counted].any():
        return f"{NO_POSITIVES}, and {NOTHING_FLAGGED}" if measure is Measure.F1 else NO_POSITIVES
    return NO_NEGATIVES
