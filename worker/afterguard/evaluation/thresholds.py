"""Thresholds that are chosen on data for a wanted precision or recall, and checked on other data.

Not the figure itself but its lower confidence bound must reach what is wanted (Clopper and Pearson
1934, one-sided): on few rows a figure is good by luck. A recall never rises with the threshold, so
the highest that passes is as sure as one that was fixed beforehand ("Learn then test", Angelopoulos
and others 2021). Precision may go up and down, which favours lucky thresholds; folds that were not
chosen on show how much.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from afterguard.evaluation.measures import NO_POSITIVES, Figure, confusion
from afterguard.evaluation.weighted import Numbers
from afterguard.prefilter.bound import lower_bound, violations_needed

CONFIDENCE: Final = 0.95
# A person copies a threshold into a policy; more digits would promise more than there is.
DIGITS: Final = 4
_STEP: Final = 10.0**-DIGITS


class Kind(StrEnum):
    """What a threshold is chosen for."""

    PRECISION = "precision"
    RECALL = "recall"


class Want(NamedTuple):
    """What is wanted of a threshold: the kind, and the least value of it."""

    kind: Kind
    least: float


class Chosen(NamedTuple):
    """A threshold, and what it reaches on the rows it was chosen on.

    Attributes:
        threshold: From this score on a row is flagged; None when none can be shown to suffice.
        reason: Why there is none; else empty.
        precision: Of the flagged rows, the share that violates.
        recall: Of the violations, the share that is flagged.
        flagged: Share of all rows that is flagged.
        low: The lower confidence bound of what is wanted; of the best threshold when none suffices.
    """

    threshold: float | None
    reason: str
    precision: Figure
    recall: Figure
    flagged: float | None
    low: float | None


class HeldOut(NamedTuple):
    """What thresholds reach on rows that they were not chosen on.

    Attributes:
        figure: Of what is wanted, over the folds together.
        low: Its lower confidence bound.
        holds: Whether the figure reaches what is wanted; it was chosen by its bound already.
        folds: Folds whose rest gave a threshold.
    """

    figure: Figure
    low: float | None
    holds: bool
    folds: int


class Fold(NamedTuple):
    """Rows to choose on, and rows to check on."""

    labels: Sequence[bool]
    scores: Sequence[float]
    held_labels: Sequence[bool]
    held_scores: Sequence[float]


def choose(labels: Sequence[bool], scores: Sequence[float], want: Want) -> Chosen:
    """The threshold that gives what is wanted and costs the least of the other.

    Args:
        labels: Whether each row violates; rows of unknown label are not handed in.
        scores: One each.
        want: For precision the lowest threshold that suffices, for recall the highest.
    """
    if not any(labels):
        nothing = Figure(None, NO_POSITIVES)
        return Chosen(None, NO_POSITIVES, nothing, nothing, None, None)
    truth, given = np.array(labels, dtype=np.bool_), np.array(scores, dtype=np.float64)
    lines = _candidates(given)
    hits = _at_least(given[truth], lines)
    flagged = _at_least(given, lines)
    of = flagged if want.kind is Kind.PRECISION else np.full_like(hits, truth.sum())
    pairs = zip(hits.tolist(), of.tolist(), strict=True)
    low = np.array([lower_bound(part, whole, CONFIDENCE) for part, whole in pairs])
    passing = np.flatnonzero(low >= want.least)
    if not len(passing):
        best = int(np.argmax(low))
        at_best = _chosen(labels, scores, float(lines[best]), float(low[best]))
        reason = _too_little(at_best, int(truth.sum()), want)
        return at_best._replace(threshold=None, reason=reason)
    # Candidates fall, so the lowest threshold is the last.
    at = int(passing[-1] if want.kind is Kind.PRECISION else passing[0])
    return _chosen(labels, scores, float(lines[at]), float(low[at]))


def check(folds: Iterable[Fold], want: Want) -> HeldOut:
    """What thresholds reach that were chosen on the rest of each fold.

    A fold whose rest gives no threshold is left out, so that what is checked is the choosing.
    """
    hits = of = used = 0
    for fold in folds:
        threshold = choose(fold.labels, fold.scores, want).threshold
        if threshold is None:
            continue
        used += 1
        counts = confusion(fold.held_labels, [score >= threshold for score in fold.held_scores])
        hits += counts.true_positives
        of += counts.flagged if want.kind is Kind.PRECISION else counts.positives
    low = lower_bound(hits, of, CONFIDENCE) if of else None
    reason = "no fold gave a threshold" if not used else "nothing to check on"
    figure = Figure(hits / of) if of else Figure(None, reason)
    return HeldOut(figure, low, figure.value is not None and figure.value >= want.least, used)


def _candidates(scores: Numbers) -> Numbers:
    """Thresholds to try, falling: each score, rounded down so that it stays above its line."""
    lines = np.floor(scores / _STEP + _STEP) * _STEP
    kept = np.clip(np.round(lines, DIGITS), _STEP, 1 - _STEP)
    return np.unique(kept)[::-1]


def _at_least(scores: Numbers, lines: Numbers) -> npt.NDArray[np.intp]:
    """How many scores reach each line."""
    reached: npt.NDArray[np.intp] = len(scores) - np.searchsorted(np.sort(scores), lines)
    return reached


def _too_little(best: Chosen, violations: int, want: Want) -> str:
    """Why no threshold suffices."""
    reason = f"the best that can be shown is {best.low:.3f}, from {best.threshold:.{DIGITS}f} on"
    needed = violations_needed(want.least, CONFIDENCE)
    if needed is not None and violations < needed:
        reason += f"; it takes at least {needed} violations, and there are {violations}"
    return reason


def _chosen(
    labels: Sequence[bool], scores: Sequence[float], threshold: float, low: float
) -> Chosen:
    counts = confusion(labels, [score >= threshold for score in scores])
    share = counts.flagged / counts.labelled
    return Chosen(threshold, "", counts.precision, counts.recall, share, low)
