"""Fitting scores: a curve from the model's score to a probability, and how much better that is.

All figures of a fitted curve are of folds that it was not fitted on, so that they are what other
rows of the same kind would get.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple

import numpy as np

from afterguard.contracts.words import Effort
from afterguard.evaluation.curves import reliability
from afterguard.evaluation.folds import folds_of
from afterguard.evaluation.measures import brier, log_loss
from afterguard.evaluation.thresholds import Chosen, Fold, HeldOut, Want, check, choose
from afterguard.policy.calibration import Curve, curve_of, logit
from afterguard.policy.calibration_document import (
    ChosenThreshold,
    Fit,
    IsotonicCurve,
    Losses,
    PlattCurve,
    ReliabilityBin,
)

# Of each kind. Below, a curve says more about the rows than about the model.
LEAST: Final = 10
LEAST_FOR_ISOTONIC: Final = 100
# Of each kind. Below, the fit is saved with a warning.
ENOUGH: Final = 50

Shape = PlattCurve | IsotonicCurve


class Method(StrEnum):
    """How a curve is fitted."""

    AUTO = "auto"
    PLATT = "platt"
    ISOTONIC = "isotonic"


class ScoredRows(NamedTuple):
    """Rows of one policy, model and effort that have a label and a score.

    Attributes:
        policy: Id of the policy.
        version: Of the policy.
        reads: Digest of all that the model reads of it.
        model: That gave the scores.
        effort: With which it did.
        labels: Whether each row violates.
        scores: As the model gave them.
        groups: Which rows belong together.
        unknown: Rows that were left out for want of a label.
        unscored: Rows that were left out for want of a score.
        selected: Whether other rows of the run ended at another effort.
    """

    policy: str
    version: str
    reads: str
    model: str
    effort: Effort
    labels: Sequence[bool]
    scores: Sequence[float]
    groups: Sequence[int]
    unknown: int = 0
    unscored: int = 0
    selected: bool = False


class Fitted(NamedTuple):
    """A fit, and what a person should know of it.

    Attributes:
        fit: As it is saved.
        chosen: For each thing wanted, the threshold and what it reaches.
        before: Reliability of the scores as the model gave them.
        warnings: What makes it weak.
    """

    fit: Fit
    chosen: list[tuple[Want, Chosen, HeldOut]]
    before: tuple[ReliabilityBin, ...]
    warnings: list[str]


class CannotBeFitted(Exception):
    """These rows give no curve; the message says why."""


def fit_scores(
    rows: ScoredRows,
    *,
    at: datetime,
    method: Method = Method.AUTO,
    wants: Sequence[Want] = (),
) -> Fitted:
    """The curve that tells best what scores mean, on folds it was not fitted on.

    Args:
        rows: To fit on.
        at: The wall clock.
        method: `auto` takes the isotonic curve where there are rows enough for it and its log loss
            is lower, and else Platt's.
        wants: For which thresholds are chosen.

    Raises:
        CannotBeFitted: There are too few rows, or the score does not rise with violations.
    """
    positives, rest = sum(rows.labels), len(rows.labels) - sum(rows.labels)
    fewest = min(positives, rest)
    least = LEAST_FOR_ISOTONIC if method is Method.ISOTONIC else LEAST
    if fewest < least:
        raise CannotBeFitted(
            f"{positives} violations and {rest} others with a score; it takes {least} of each"
        )
    splits = folds_of(rows.labels, rows.groups)
    if splits is None:
        raise CannotBeFitted("too few texts and conversations of both kinds to hold some out")
    methods = [method] if method is not Method.AUTO else [Method.PLATT]
    if method is Method.AUTO and fewest >= LEAST_FOR_ISOTONIC:
        methods.append(Method.ISOTONIC)
    best = min(
        (_tried(rows, splits, it) for it in methods), key=lambda tried: tried.losses.log_loss
    )
    before = _losses(rows.labels, rows.scores)
    warnings = _warnings(fewest, before, best.losses, selected=rows.selected)
    whole = [curve_of(best.shape)(score) for score in rows.scores]
    chosen = [(want, choose(rows.labels, whole, want), check(best.folds, want)) for want in wants]
    fit = Fit(
        version=rows.version,
        reads=rows.reads,
        model=rows.model,
        effort=rows.effort,
        curve=best.shape,
        rows=len(rows.labels),
        positives=positives,
        before=before,
        after=best.losses,
        reliability=_bins(best.labels, best.held),
        thresholds=tuple(
            ChosenThreshold(
                want=want.kind.value,
                least=want.least,
                threshold=choice.threshold,
                held_out=held.figure.value,
                held_out_low=held.low,
                holds=held.holds,
            )
            for want, choice, held in chosen
        ),
        fitted_at=at,
        data=_fingerprint(rows),
    )
    return Fitted(fit, chosen, _bins(rows.labels, rows.scores), warnings)


class _Tried(NamedTuple):
    shape: Shape
    losses: Losses
    labels: list[bool]
    held: list[float]
    folds: list[Fold]


def _tried(rows: ScoredRows, splits: Sequence[Sequence[int]], method: Method) -> _Tried:
    labels: list[bool] = []
    held: list[float] = []
    folds: list[Fold] = []
    for split in splits:
        out = set(split)
        rest = [row for row in range(len(rows.labels)) if row not in out]
        curve = _curve(rows, rest, method)
        there, here = ([rows.labels[row] for row in part] for part in (rest, split))
        fitted = [curve(rows.scores[row]) for row in rest]
        unseen = [curve(rows.scores[row]) for row in split]
        folds.append(Fold(there, fitted, here, unseen))
        labels += here
        held += unseen
    shape = _shape(rows.labels, rows.scores, method)
    return _Tried(shape, _losses(labels, held), labels, held, folds)


def _curve(rows: ScoredRows, part: Sequence[int], method: Method) -> Curve:
    labels, scores = ([them[row] for row in part] for them in (rows.labels, rows.scores))
    return curve_of(_shape(labels, scores, method))  # type: ignore[arg-type]


def _shape(labels: Sequence[bool], scores: Sequence[float], method: Method) -> Shape:
    places = np.array([logit(score) for score in scores])
    truth = np.array(labels, dtype=np.float64)
    return _isotonic(truth, scores, places) if method is Method.ISOTONIC else _platt(truth, places)


def _platt(truth: np.ndarray, places: np.ndarray) -> PlattCurve:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 (an extra)

    positives = truth.sum()
    negatives = len(truth) - positives
    # Platt's targets: a row is nearly sure, so that rows which a line parts give no cliff.
    target = np.where(truth, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    model = LogisticRegression(C=1e6, solver="newton-cholesky")
    model.fit(
        np.concatenate([places, places]).reshape(-1, 1),
        np.repeat([1, 0], len(truth)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope = float(model.coef_[0, 0])
    if slope <= 0:
        raise CannotBeFitted("violations do not score higher than other rows")
    return PlattCurve(slope=slope, intercept=float(model.intercept_[0]))


def _isotonic(truth: np.ndarray, scores: Sequence[float], places: np.ndarray) -> IsotonicCurve:
    from sklearn.isotonic import IsotonicRegression  # noqa: PLC0415 (an extra)

    # A step of nothing but violations is no proof that there is nothing else.
    edge = 1 / (len(truth) + 2)
    model = IsotonicRegression(y_min=edge, y_max=1 - edge).fit(places, truth)
    of_place = dict(zip(places, scores, strict=True))
    knots = [
        (float(of_place[place]), float(value))
        for place, value in zip(model.X_thresholds_, model.y_thresholds_, strict=True)
    ]
    if len(knots) < 2 or knots[0][1] == knots[-1][1]:
        raise CannotBeFitted("violations do not score higher than other rows")
    return IsotonicCurve(knots=tuple(knots))


def _losses(labels: Sequence[bool], scores: Sequence[float]) -> Losses:
    squares, surprise = brier(labels, scores).value, log_loss(labels, scores).value
    assert squares is not None
    assert surprise is not None
    return Losses(brier=squares, log_loss=surprise)


def _bins(labels: Sequence[bool], scores: Sequence[float]) -> tuple[ReliabilityBin, ...]:
    return tuple(
        ReliabilityBin(rows=it.rows, score=it.score, share=it.share)
        for it in reliability(labels, scores)
    )


def _warnings(fewest: int, before: Losses, after: Losses, *, selected: bool) -> list[str]:
    found = []
    if selected:
        found.append(
            "second looks chose which rows are of this effort: fit on runs of one effort each"
        )
    if fewest < ENOUGH:
        found.append(
            f"only {fewest} violations, or others: fewer than {ENOUGH} of each make a weak fit"
        )
    if after.log_loss >= before.log_loss:
        found.append("fitted scores are no better than the model's own on rows not fitted on")
    return found


def _fingerprint(rows: ScoredRows) -> str:
    pairs = sorted(zip(rows.scores, rows.labels, strict=True))
    text = "\n".join(f"{score!r} {int(label)}" for score, label in pairs)
    return sha256(text.encode()).hexdigest()[:16]
