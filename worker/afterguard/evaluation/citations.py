"""Citations: whether the rules that verdicts cite exist, and whether they are the right ones."""

from collections.abc import Sequence
from typing import NamedTuple

from afterguard.evaluation.measures import Figure, share


class Citations(NamedTuple):
    """Whether cited rules exist, and whether they are the right ones.

    Attributes:
        verdicts: All that were looked at.
        citing: Those that cite at least one rule.
        valid: Of those that cite, the share whose every citation exists in the policy.
        expecting: Verdicts on rows that name the rules of which one should be cited.
        on_target: Of these, the share that cites one of them.
    """

    verdicts: int
    citing: int
    valid: Figure
    expecting: int
    on_target: Figure


def citations(
    cited: Sequence[Sequence[str]],
    unknown: Sequence[Sequence[str]],
    wanted: Sequence[Sequence[str]],
) -> Citations:
    """How good the citations of some verdicts are.

    Args:
        cited: Of each verdict, the rules of its policy that it cites.
        unknown: Of each, what it cites that its policy does not have.
        wanted: Of each, rules of which at least one should be cited; empty when any will do.
    """
    rows = list(zip(cited, unknown, wanted, strict=True))
    citing = [row for row in rows if row[0] or row[1]]
    expecting = [row for row in rows if row[2]]
    return Citations(
        len(rows),
        len(citing),
        share(sum(not row[1] for row in citing), len(citing), "no verdict cites a rule"),
        len(expecting),
        share(
            sum(bool(set(row[0]) & set(row[2])) for row in expecting),
            len(expecting),
            "no row says which rule is right",
        ),
    )
