"""Held out: scores of rows by weights that were fitted without them, each text on one side only."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from afterguard.prefilter.bound import Cut, choose_threshold
from afterguard.prefilter.calibration import Platt, fit_platt
from afterguard.prefilter.features import Features, Floats
from afterguard.prefilter.weights import fit_weights

_SEED: Final = 20_260_101

Labels = NDArray[np.bool_]
Rows = NDArray[np.intp]


class Chosen(NamedTuple):
    """Calibration and thresholds, chosen on rows that the weights were not fitted on.

    Attributes:
        platt: From logits to probabilities.
        cuts: A threshold for each target, in their order.
    """

    platt: Platt
    cuts: tuple[Cut, ...]


class HeldOut(NamedTuple):
    """What came of rows that had no part in weights, calibration and thresholds.

    Attributes:
        logits: Of each row, by the weights of its fold.
        scores: Of each row, by weights and calibration of its fold.
        forwarded: By target, whether each row is forwarded at its fold's threshold.
    """

    logits: Floats
    scores: Floats
    forwarded: tuple[Labels, ...]


def choose(
    logits: Floats,
    violates: Labels,
    targets: tuple[float, ...],
    *,
    confidence: float,
    tested: int,
) -> Chosen:
    """Calibration and thresholds for logits of rows that the weights were not fitted on."""
    platt = fit_platt(logits, violates)
    scores = [float(it) for it in platt.probabilities(logits)[violates]]
    return Chosen(platt, tuple(choose_threshold(scores, it, confidence, tested) for it in targets))


def hold_out(
    features: Features,
    violates: Labels,
    groups: Rows,
    targets: tuple[float, ...],
    *,
    confidence: float,
    folds: int,
    inner_folds: int,
    progress: Callable[[], None] = lambda: None,
) -> HeldOut:
    """Every row judged by a classifier that was made wholly without it.

    Within the rest of the rows, inner folds give the logits on which calibration and thresholds
    are chosen.

    Args:
        features: Of all rows.
        violates: Of each row.
        groups: Rows of equal number have the same text.
        targets: Recalls that are wanted.
        confidence: Of the bound by which thresholds are chosen.
        folds: How many times a part is held out.
        inner_folds: The same, within the rest.
        progress: Called after each fit.
    """
    logits, scores = np.zeros(len(violates)), np.zeros(len(violates))
    forwarded = tuple(np.zeros(len(violates), dtype=np.bool_) for _ in targets)
    for rest, held in _split(violates, groups, folds):
        inside = features.of(rest)
        inner = np.zeros(len(rest))
        for most, part in _split(violates[rest], groups[rest], inner_folds):
            weights = fit_weights(inside.of(most), violates[rest][most])
            inner[part] = weights.logits(inside.of(part))
            progress()
        chosen = choose(
            inner,
            violates[rest],
            targets,
            confidence=confidence,
            tested=int(violates.sum()),
        )
        weights = fit_weights(inside, violates[rest])
        logits[held] = weights.logits(features.of(held))
        scores[held] = chosen.platt.probabilities(logits[held])
        for passed, cut in zip(forwarded, chosen.cuts, strict=True):
            passed[held] = scores[held] >= cut.threshold
        progress()
    return HeldOut(logits, scores, forwarded)


def _split(violates: Labels, groups: Rows, folds: int) -> Iterator[tuple[Rows, Rows]]:
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415 (an extra)

    splits = StratifiedGroupKFold(folds, shuffle=True, random_state=_SEED)
    for rest, held in splits.split(np.zeros(len(violates)), violates, groups):
        yield np.sort(rest), np.sort(held)
