"""Across policies: the figures of all policies of a run together.

Three ways to add up, which answer different questions: every pair of row and policy alike; each row
once, by whether it violates any policy; and exact match, right under every policy at once.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from afterguard.evaluation.exact_match import exact_match
from afterguard.evaluation.figures import Detection, detection, detection_of, groups_of
from afterguard.evaluation.results import Result


class Exact(BaseModel):
    """Rows right under every policy at once."""

    model_config = ConfigDict(frozen=True)

    rows: int = Field(description="Labelled and judged under every policy; only these count.")
    left_out: int
    share: float | None
    nothing: float | None = Field(description="What never flagging anything would get.")


class Across(BaseModel):
    """All policies together."""

    model_config = ConfigDict(frozen=True)

    rows: int
    pairs: Detection = Field(description="Every pair of row and policy; strict.")
    pairs_with_review: Detection
    any_policy: Detection = Field(
        description="Each row that is labelled under every policy once: whether it violates any "
        "of them; strict."
    )
    exact: Exact


class _Row(NamedTuple):
    labels: dict[str, bool]
    flags: dict[str, bool]
    first: Result


def across(results: Sequence[Result], policies: Sequence[str], *, resamples: int) -> Across:
    """The figures of all policies together.

    Args:
        results: Of one judge.
        policies: Their ids.
        resamples: How often rows are drawn for the intervals.
    """
    rows = _rows(results)
    matched = exact_match([it.labels for it in rows], [it.flags for it in rows], policies)
    return Across(
        rows=len(rows),
        pairs=detection(results, lambda it: it.flagged, resamples=resamples),
        pairs_with_review=detection(results, lambda it: it.seen_by_someone, resamples=resamples),
        any_policy=detection_of(
            [violates_any(it.labels, policies) for it in rows],
            [any(it.flags.values()) for it in rows],
            groups_of([it.first for it in rows]),
            resamples=resamples,
        ),
        exact=Exact(
            rows=matched.rows,
            left_out=matched.left_out,
            share=matched.share.value,
            nothing=matched.nothing.value,
        ),
    )


def violates_any(labels: Mapping[str, bool], policies: Sequence[str]) -> bool | None:
    """Whether a row violates any of the policies; None when not all of its labels are known.

    One known violation would tell, too. But violations would then count without all their labels,
    harmless rows only with all of them, and the figures would flatter.
    """
    if any(policy not in labels for policy in policies):
        return None
    return any(labels[policy] for policy in policies)


def _rows(results: Sequence[Result]) -> list[_Row]:
    rows: dict[str, _Row] = {}
    for it in results:
        row = rows.setdefault(it.row_id, _Row({}, {}, it))
        row.flags[it.policy_id] = it.flagged
        if it.expected is not None:
            row.labels[it.policy_id] = it.expected
    return list(rows.values())
