"""Exact match: rows that were answered rightly under every policy at once.

Where violations are rare, never flagging anything scores high here, so what that would get always
stands beside the figure.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from afterguard.evaluation.measures import Figure, share


class ExactMatch(NamedTuple):
    """Rows that were answered rightly under every policy at once.

    Attributes:
        rows: Rows that are labelled and were judged under every policy; only these count.
        left_out: The others.
        share: Of `rows`, those whose every flag is as its label.
        nothing: What `share` would be if nothing were ever flagged.
    """

    rows: int
    left_out: int
    share: Figure
    nothing: Figure


def exact_match(
    expected: Sequence[Mapping[str, bool]],
    flagged: Sequence[Mapping[str, bool]],
    policies: Sequence[str],
) -> ExactMatch:
    """Rows that were answered rightly under every policy at once, beside what silence would get.

    Args:
        expected: The known labels of each row by policy; an absent one is unknown.
        flagged: The flags of each row by policy; an absent one was not judged.
        policies: Those that must all be right.
    """
    hits = whole_matches(expected, flagged, policies)
    whole = [hit for hit in hits if hit is not None]
    silent = sum(
        not any(labels[policy] for policy in policies)
        for labels, hit in zip(expected, hits, strict=True)
        if hit is not None
    )
    none = "no row is labelled and judged under every policy"
    return ExactMatch(
        len(whole),
        len(hits) - len(whole),
        share(sum(whole), len(whole), none),
        share(silent, len(whole), none),
    )


def whole_matches(
    expected: Sequence[Mapping[str, bool]],
    flagged: Sequence[Mapping[str, bool]],
    policies: Sequence[str],
) -> list[bool | None]:
    """Whether each row was answered rightly under every policy; None for one that cannot tell."""
    return [
        all(labels[policy] == flags[policy] for policy in policies)
        if policies and all(policy in labels and policy in flags for policy in policies)
        else None
        for labels, flags in zip(expected, flagged, strict=True)
    ]
