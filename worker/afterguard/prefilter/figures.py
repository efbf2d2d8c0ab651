"""Figures of a fitted classifier, of scores that were held out."""

from typing import Final

import numpy as np

from afterguard.prefilter.bound import lower_bound, violations_needed
from afterguard.prefilter.card import CurvePoint, FiguresCard, ReliabilityBin, ThresholdCard
from afterguard.prefilter.features import Floats
from afterguard.prefilter.held_out import Chosen, HeldOut, Labels

_POINTS: Final = 200
_BINS: Final = 10


def figures_of(scores: Floats, violates: Labels, texts_per_s: float) -> FiguresCard:
    """How good held-out scores are."""
    from sklearn.metrics import (  # noqa: PLC0415 (an extra)
        average_precision_score,
        brier_score_loss,
        roc_auc_score,
    )

    return FiguresCard(
        roc_auc=float(roc_auc_score(violates, scores)),
        # Its sum may end a last digit above 1.
        pr_auc=min(1.0, float(average_precision_score(violates, scores))),
        brier=float(brier_score_loss(violates, scores)),
        base_rate=float(violates.mean()),
        reliability=_reliability(scores, violates),
        texts_per_s=texts_per_s,
    )


def thresholds_of(
    held: HeldOut,
    chosen: Chosen,
    violates: Labels,
    targets: tuple[float, ...],
    confidence: float,
) -> tuple[ThresholdCard, ...]:
    """The thresholds that are kept, each with how its choice held on rows that were held out."""
    violations = int(violates.sum())
    cards = []
    for target, cut, passed in zip(targets, chosen.cuts, held.forwarded, strict=True):
        missed = int((violates & ~passed).sum())
        cards.append(
            ThresholdCard(
                target_recall=target,
                threshold=cut.threshold,
                chosen_lower=cut.lower,
                violations=violations,
                missed=missed,
                recall=1 - missed / violations,
                recall_lower=lower_bound(violations - missed, violations, confidence),
                forwarded=float(passed.mean()),
                forwarded_in_hindsight=_in_hindsight(held.scores, violates, target),
                needed=violations_needed(target, confidence, missed / violations),
            )
        )
    return tuple(cards)


def curve_of(scores: Floats, violates: Labels, confidence: float) -> tuple[CurvePoint, ...]:
    """What each threshold does as a judge; rising thresholds, at most some hundreds."""
    distinct = np.unique(np.floor(scores * 1e6) / 1e6)
    at = np.unique(np.linspace(0, len(distinct) - 1, _POINTS).astype(int))
    violations = int(violates.sum())
    points = []
    for threshold in distinct[at]:
        flags = scores >= threshold
        flagged, hits = int(flags.sum()), int((flags & violates).sum())
        points.append(
            CurvePoint(
                threshold=float(threshold),
                precision=hits / flagged,
                precision_lower=lower_bound(hits, flagged, confidence),
                recall=hits / violations,
                flagged=flagged / len(scores),
            )
        )
    return tuple(points)


def _in_hindsight(scores: Floats, violates: Labels, target: float) -> float:
    rising = np.sort(scores[violates])
    return float((scores >= rising[int((1 - target) * len(rising) + 1e-9)]).mean())


def _reliability(scores: Floats, violates: Labels) -> tuple[ReliabilityBin, ...]:
    # Of equal numbers of rows, for most scores lie close to the ends.
    order = np.argsort(scores, kind="stable")
    return tuple(
        ReliabilityBin(
            rows=len(rows),
            score=float(scores[rows].mean()),
            violations=float(violates[rows].mean()),
        )
        for rows in np.array_split(order, min(_BINS, len(order)))
    )
