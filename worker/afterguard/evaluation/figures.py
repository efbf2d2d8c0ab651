"""Figures: what the results of some rows come to, each with how far it might have been otherwise.

Two readings of the same results: strict, where only a violation that was found counts as flagged,
and with review, where what goes to a person counts, too. An unanswered row is a miss in the first.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from afterguard.evaluation.bootstrap import RESAMPLES, Interval, intervals
from afterguard.evaluation.citations import Citations, citations
from afterguard.evaluation.curves import (
    Bin,
    CurvePoint,
    precision_recall_curve,
    reliability,
    roc_curve,
)
from afterguard.evaluation.groups import grouped
from afterguard.evaluation.measures import Confusion, Figure, confusion
from afterguard.evaluation.results import Result
from afterguard.evaluation.weighted import Measure, Rows, figure, rows_of

_OF_FLAGS: Final = (
    Measure.PRECISION,
    Measure.RECALL,
    Measure.F1,
    Measure.FALSE_POSITIVE_RATE,
)
# Tags that say what the data itself calls a row.
_LABEL: Final = "label:"
_OF_SCORES: Final = (Measure.PR_AUC, Measure.ROC_AUC, Measure.BRIER)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Estimate(_Part):
    """A figure and its interval."""

    value: float | None = Field(description="None when it does not exist for these rows.")
    low: float | None = None
    high: float | None = None
    reason: str = Field(default="", description="Why there is no figure, or no interval.")


class Detection(_Part):
    """How flags meet labels."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int
    unknown: int = Field(description="Rows without a label; in none of the four.")
    precision: Estimate
    recall: Estimate
    f1: Estimate
    false_positive_rate: Estimate


class Ranking(_Part):
    """How scores order the rows, whatever the threshold."""

    scored: int = Field(description="Labelled rows with a score.")
    calibrated: int = Field(description="Of these, those whose score is a fitted probability.")
    violations: float | None = Field(
        description="Share of violations among them: the PR-AUC of scores without any sense."
    )
    pr_auc: Estimate
    roc_auc: Estimate
    brier: Estimate


class Curves(_Part):
    """For plots: points of (x, y)."""

    precision_recall: tuple[CurvePoint, ...]
    roc: tuple[CurvePoint, ...]
    reliability: tuple[Bin, ...] = Field(
        default=(), description="What scores promise beside what came true."
    )


class LabelLine(_Part):
    """Rows of one label of the data, and what was found."""

    label: str
    rows: int
    found: dict[str, int]


class Cited(_Part):
    """Whether cited rules exist, and whether they are the right ones."""

    verdicts: int
    citing: int
    valid: Estimate = Field(
        description="Of those that cite, the share that cites no invented rule."
    )
    expecting: int
    on_target: Estimate = Field(description="Of those whose right rule is known, the share.")


def detection(
    results: Sequence[Result],
    flagged: Callable[[Result], bool],
    *,
    resamples: int = RESAMPLES,
) -> Detection:
    """How flags meet labels.

    Args:
        results: Of one policy, or of several as if they were one.
        flagged: Which of them count as flagged.
        resamples: How often rows are drawn for the intervals.
    """
    expected = [it.expected for it in results]
    flags = [flagged(it) for it in results]
    return detection_of(expected, flags, groups_of(results), resamples=resamples)


def detection_of(
    expected: Sequence[bool | None],
    flags: Sequence[bool],
    groups: Sequence[int],
    *,
    resamples: int = RESAMPLES,
) -> Detection:
    """How flags meet labels, as plain columns.

    Args:
        expected: Whether each row violates; None when nobody knows.
        flags: Whether each was flagged.
        groups: Which rows belong together.
        resamples: How often groups are drawn.
    """
    met: Confusion = confusion(expected, flags)
    rows = rows_of(expected, flags, None, groups)
    found = _estimates(rows, _OF_FLAGS, resamples)
    return Detection(
        true_positives=met.true_positives,
        false_positives=met.false_positives,
        false_negatives=met.false_negatives,
        true_negatives=met.true_negatives,
        unknown=met.unknown,
        precision=found[Measure.PRECISION],
        recall=found[Measure.RECALL],
        f1=found[Measure.F1],
        false_positive_rate=found[Measure.FALSE_POSITIVE_RATE],
    )


def ranking(results: Sequence[Result], *, resamples: int = RESAMPLES) -> Ranking:
    """How scores order the rows."""
    scored = [it for it in results if it.expected is not None and it.score is not None]
    rows = rows_of(
        [it.expected for it in results],
        [it.flagged for it in results],
        [it.score for it in results],
        groups_of(results),
    )
    found = _estimates(rows, _OF_SCORES, resamples)
    violations = sum(it.expected is True for it in scored)
    return Ranking(
        scored=len(scored),
        calibrated=sum(it.score_calibrated for it in scored),
        violations=violations / len(scored) if scored else None,
        pr_auc=found[Measure.PR_AUC],
        roc_auc=found[Measure.ROC_AUC],
        brier=found[Measure.BRIER],
    )


def curves(results: Sequence[Result]) -> Curves:
    """The curves of the scores; empty where there is nothing to draw."""
    expected = [it.expected for it in results]
    scores = [it.score for it in results]
    return Curves(
        precision_recall=tuple(precision_recall_curve(expected, scores)),
        roc=tuple(roc_curve(expected, scores)),
        reliability=tuple(reliability(expected, scores)),
    )


def cited(results: Sequence[Result]) -> Cited:
    """How good the citations of the violations that were found are."""
    found = [it for it in results if it.flagged]
    told: Citations = citations(
        [it.rule_ids for it in found],
        [it.unknown_rules for it in found],
        [it.wanted_rules for it in found],
    )
    return Cited(
        verdicts=told.verdicts,
        citing=told.citing,
        valid=_plain(told.valid),
        expecting=told.expecting,
        on_target=_plain(told.on_target),
    )


def label_lines(results: Sequence[Result]) -> tuple[LabelLine, ...]:
    """For each label of the data, what was found: the category of a violation, else the outcome."""
    lines: dict[str, Counter[str]] = {}
    for it in results:
        own = [tag.removeprefix(_LABEL) for tag in it.tags if tag.startswith(_LABEL)]
        known = {True: "violation", False: "no violation", None: "unknown"}[it.expected]
        found = it.category if it.flagged and it.category else it.outcome.value
        for label in own or [known]:
            lines.setdefault(label, Counter())[found] += 1
    return tuple(
        LabelLine(label=label, rows=sum(found.values()), found=dict(found.most_common()))
        for label, found in sorted(lines.items())
    )


def groups_of(results: Sequence[Result]) -> list[int]:
    """Which results are not independent: of one row, of one text, of a row and its variants."""
    return grouped([(*it.alike, f"row:{it.row_id}") for it in results])


def _estimates(rows: Rows, measures: Sequence[Measure], resamples: int) -> dict[Measure, Estimate]:
    spans = intervals(rows, measures, resamples=resamples)
    return {it: _with_interval(figure(it, rows), spans[it]) for it in measures}


def _with_interval(value: Figure, span: Interval) -> Estimate:
    if value.value is None:
        return Estimate(value=None, reason=value.reason)
    return Estimate(value=value.value, low=span.low, high=span.high, reason=span.reason)


def _plain(value: Figure) -> Estimate:
    return Estimate(value=value.value, reason=value.reason)
