"""Mistakes: the rows that were judged most wrongly, for a person to read."""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from afterguard.evaluation.kept_rows import KeptRow
from afterguard.evaluation.results import Result

# Of each kind.
MOST: Final = 10
# Enough to see what was meant; a report of megabytes opens in no browser.
LONGEST: Final = 4_000


class Mistake(BaseModel):
    """A row whose flag is not its label. Holds text: for those who may read the data."""

    model_config = ConfigDict(frozen=True)

    row_id: str
    source: str
    expected: bool
    outcome: str
    score: float | None
    rules: tuple[str, ...]
    text: str
    cut: int = Field(default=0, description="Characters of the text that are left out.")
    rationale: str


def worst(results: Sequence[Result], rows: Mapping[str, KeptRow]) -> tuple[Mistake, ...]:
    """The worst mistakes: the surest first, violations that were missed and false alarms in turn.

    Args:
        results: Of one policy.
        rows: What they say.
    """
    wrong = [it for it in results if it.expected is not None and it.flagged is not it.expected]
    missed = sorted((it for it in wrong if it.expected), key=_surely_clean)[:MOST]
    alarms = sorted((it for it in wrong if not it.expected), key=_surely_clean, reverse=True)[:MOST]
    return tuple(_mistake(it, rows) for it in (*missed, *alarms))


def _surely_clean(it: Result) -> tuple[float, str]:
    return (0.5 if it.score is None else it.score), it.row_id


def _mistake(it: Result, rows: Mapping[str, KeptRow]) -> Mistake:
    row = rows.get(it.row_id)
    text = row.text if row is not None else ""
    return Mistake(
        row_id=it.row_id,
        source=row.source if row is not None else "",
        expected=bool(it.expected),
        outcome=it.outcome.value + (f" ({it.reason.value})" if it.reason else ""),
        score=it.score,
        rules=(*it.rule_ids, *it.unknown_rules),
        text=text[:LONGEST],
        cut=max(0, len(text) - LONGEST),
        rationale=it.rationale[:LONGEST],
    )
