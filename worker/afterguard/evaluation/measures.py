"""Measures: how well answers agree with labels, each defined also where it does not exist.

A label of None is unknown: its row is left out and counted, and never taken for "no". What is here
needs no package; measures of ranks and intervals are those of weighted rows.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

Labels = Sequence[bool | None]
Flags = Sequence[bool]
ScoreRow = Sequence[float | None]

NO_POSITIVES: Final = "no row is labelled as a violation"
NO_NEGATIVES: Final = "no row is labelled as no violation"
NOTHING_FLAGGED: Final = "nothing was flagged"
NO_ROWS: Final = "no row has a label"
NO_SCORES: Final = "no labelled row has a score"
# A probability of exactly 0 or 1 would cost an infinite loss when it is wrong once.
_SUREST: Final = 1e-6


class Figure(NamedTuple):
    """A number, or why there is none.

    Attributes:
        value: None when the figure does not exist for these rows.
        reason: Why it does not; empty when it does.
    """

    value: float | None
    reason: str = ""


class Confusion(NamedTuple):
    """How labels and flags meet.

    Attributes:
        true_positives: Violations that were flagged.
        false_positives: No violations that were flagged.
        false_negatives: Violations that were not flagged.
        true_negatives: No violations that were not flagged.
        unknown: Rows without a label, which are in none of the four.
    """

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    unknown: int = 0

    @property
    def positives(self) -> int:
        """Rows that are labelled as a violation."""
        return self.true_positives + self.false_negatives

    @property
    def negatives(self) -> int:
        """Rows that are labelled as no violation."""
        return self.false_positives + self.true_negatives

    @property
    def flagged(self) -> int:
        """Labelled rows that were flagged."""
        return self.true_positives + self.false_positives

    @property
    def labelled(self) -> int:
        """Rows with a label."""
        return self.positives + self.negatives

    @property
    def precision(self) -> Figure:
        """Of what was flagged, the share that violates."""
        if not self.labelled:
            return Figure(None, NO_ROWS)
        return share(self.true_positives, self.flagged, NOTHING_FLAGGED)

    @property
    def recall(self) -> Figure:
        """Of what violates, the share that was flagged."""
        if not self.labelled:
            return Figure(None, NO_ROWS)
        return share(self.true_positives, self.positives, NO_POSITIVES)

    @property
    def f1(self) -> Figure:
        """The harmonic mean of precision and recall; 0 when violations are there and none found."""
        if not self.labelled:
            return Figure(None, NO_ROWS)
        wrong = self.false_positives + self.false_negatives
        hits = 2 * self.true_positives
        return share(hits, hits + wrong, f"{NO_POSITIVES}, and {NOTHING_FLAGGED}")

    @property
    def false_positive_rate(self) -> Figure:
        """Of what does not violate, the share that was flagged."""
        if not self.labelled:
            return Figure(None, NO_ROWS)
        return share(self.false_positives, self.negatives, NO_NEGATIVES)


class Scored(NamedTuple):
    """The rows that have both a label and a score.

    Attributes:
        labels: One each.
        scores: One each.
        unknown: Rows without a label.
        unscored: Rows with a label and without a score.
    """

    labels: list[bool]
    scores: list[float]
    unknown: int
    unscored: int

    @property
    def positives(self) -> int:
        """Scored rows that are labelled as a violation."""
        return sum(self.labels)

    @property
    def negatives(self) -> int:
        """Scored rows that are labelled as no violation."""
        return len(self.labels) - sum(self.labels)


def share(part: int, whole: int, reason: str) -> Figure:
    """A part of a whole; the reason when there is no whole."""
    return Figure(part / whole) if whole else Figure(None, reason)


def confusion(expected: Labels, flagged: Flags) -> Confusion:
    """How labels and flags meet.

    Args:
        expected: Whether each row violates; None when nobody knows.
        flagged: Whether each row was flagged.
    """
    counts = {(label, flag): 0 for label in (True, False, None) for flag in (True, False)}
    for label, flag in zip(expected, flagged, strict=True):
        counts[None if label is None else bool(label), bool(flag)] += 1
    return Confusion(
        counts[True, True],
        counts[False, True],
        counts[True, False],
        counts[False, False],
        counts[None, True] + counts[None, False],
    )


def scored(expected: Labels, scores: ScoreRow) -> Scored:
    """The rows that have both a label and a score."""
    labels: list[bool] = []
    given: list[float] = []
    unknown = unscored = 0
    for label, score in zip(expected, scores, strict=True):
        if label is None:
            unknown += 1
        elif score is None:
            unscored += 1
        else:
            labels.append(bool(label))
            given.append(float(score))
    return Scored(labels, given, unknown, unscored)


def brier(expected: Labels, scores: ScoreRow) -> Figure:
    """The mean squared distance of score and label, 0 to 1; less is better."""
    rows = scored(expected, scores)
    if not rows.labels:
        return Figure(None, NO_SCORES)
    squares = ((score - label) ** 2 for label, score in zip(rows.labels, rows.scores, strict=True))
    return Figure(math.fsum(squares) / len(rows.labels))


def log_loss(expected: Labels, scores: ScoreRow) -> Figure:
    """The mean surprise at the labels, in nats; less is better. Scores are kept off 0 and 1."""
    rows = scored(expected, scores)
    if not rows.labels:
        return Figure(None, NO_SCORES)
    surprises = (
        -math.log(min(max(score if label else 1 - score, _SUREST), 1 - _SUREST))
        for label, score in zip(rows.labels, rows.scores, strict=True)
    )
    return Figure(math.fsum(surprises) / len(rows.labels))
