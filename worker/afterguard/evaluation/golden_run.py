"""Golden run: a golden set judged by the engine, each row graded, and whether the set passes.

A row is right when its outcome is the expected one and, where it names rules, one of them is cited:
the action follows from the rule. Uncertain and unanswered rows are kept apart from wrong ones and
are never right: whoever wants a person to look writes a rule that says so.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from time import monotonic
from typing import Final, NamedTuple

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import ANSWERED, Outcome
from afterguard.evaluation.bench import Bench, Case, first_of
from afterguard.flow.findings import Finding
from afterguard.policy.labelled import LabelledRow

LEAST: Final = 1.0
MOST_FLIPS: Final = 0.1
_AT_ONCE: Final = 32

Progress = Callable[[int, int], None]


class Grade(StrEnum):
    """How the outcome of a row compares with what is expected."""

    RIGHT = "right"
    WRONG = "wrong"
    WRONG_RULE = "wrong_rule"
    UNCERTAIN = "uncertain"
    UNANSWERED = "unanswered"


class GradedRow(NamedTuple):
    """One row and what the engine made of it.

    Attributes:
        row: As it was read.
        expected: Whether it violates the policy.
        finding: What was found.
        grade: How that compares.
        flipped: Whether the outcome differs from that of the row it is a variant of; None for a
            row of its own, and when the row it is a variant of was not answered.
        escaped: Whether it flipped from violation to no violation.
    """

    row: LabelledRow
    expected: bool
    finding: Finding
    grade: Grade
    flipped: bool | None = None
    escaped: bool = False

    @property
    def outcome(self) -> Outcome:
        """What was found, in one word."""
        return self.finding.reading.outcome


class Share(NamedTuple):
    """So many of so many."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return self.part / self.whole if self.whole else None


class TagFigures(NamedTuple):
    """The rows of one tag: how many are right, and how many variants flipped."""

    right: Share
    flips: Share


class GoldenReport(NamedTuple):
    """What became of a golden set.

    Attributes:
        policy: The version that was judged under.
        rows: All of them, in their order.
        seconds: How long it took.
        least: Share of the set's own rows that must be right.
        most_flips: Share of variants that may flip.
    """

    policy: Policy
    rows: tuple[GradedRow, ...]
    seconds: float
    least: float = LEAST
    most_flips: float = MOST_FLIPS

    @property
    def own(self) -> tuple[GradedRow, ...]:
        """The rows that are no variants."""
        return tuple(it for it in self.rows if it.row.variant_of is None)

    @property
    def variants(self) -> tuple[GradedRow, ...]:
        """The rows that disguise another."""
        return tuple(it for it in self.rows if it.row.variant_of is not None)

    @property
    def right(self) -> Share:
        """Own rows that are right."""
        own = self.own
        return Share(sum(it.grade is Grade.RIGHT for it in own), len(own))

    @property
    def flips(self) -> Share:
        """Variants whose outcome differs from their row's, of those that can be compared."""
        return _flips(self.rows)

    @property
    def escapes(self) -> Share:
        """Variants of rows found in violation that were found to be none."""
        found = {it.row.row_id for it in self.own if it.outcome is Outcome.VIOLATION}
        caught = [it for it in self.variants if it.row.variant_of in found]
        return Share(sum(it.escaped for it in caught), len(caught))

    @property
    def failing(self) -> tuple[GradedRow, ...]:
        """Own rows that are not right, then variants that flipped or could not be compared."""
        wrong = tuple(it for it in self.own if it.grade is not Grade.RIGHT)
        return wrong + tuple(it for it in self.variants if it.flipped is not False)

    @property
    def passes(self) -> bool:
        """Whether enough own rows are right, and few enough variants flipped."""
        right, flips = self.right.value, self.flips.value
        return (
            right is not None
            and right >= self.least
            and (flips is None or flips <= self.most_flips)
        )

    def by_tag(self) -> dict[str, TagFigures]:
        """Figures for each tag, by name; variants count in what is right, too."""
        tags = sorted({tag for it in self.rows for tag in it.row.tags})
        slices = {tag: [it for it in self.rows if tag in it.row.tags] for tag in tags}
        return {
            tag: TagFigures(
                Share(sum(it.grade is Grade.RIGHT for it in rows), len(rows)), _flips(rows)
            )
            for tag, rows in slices.items()
        }

    def tokens(self) -> tuple[int, int]:
        """Tokens read and written, of all rows."""
        judged = [it.finding.judgement for it in self.rows if it.finding.judgement is not None]
        return sum(it.prompt_tokens for it in judged), sum(it.output_tokens for it in judged)

    def scores(self) -> dict[str, object]:
        """The figures alone, for a history; no text of any row."""
        grades = Counter(it.grade for it in self.own)
        prompt, output = self.tokens()
        return {
            "passes": self.passes,
            "rows": len(self.own),
            "variants": len(self.variants),
            **{grade.value: grades[grade] for grade in Grade},
            "accuracy": _rounded(self.right),
            "flips": self.flips.part,
            "flip_rate": _rounded(self.flips),
            "escapes": self.escapes.part,
            "escape_rate": _rounded(self.escapes),
            "least": self.least,
            "most_flips": self.most_flips,
            "prompt_tokens": prompt,
            "output_tokens": output,
            "seconds": round(self.seconds, 1),
        }


async def run_golden(
    bench: Bench,
    policy: Policy,
    rows: Sequence[LabelledRow],
    *,
    least: float = LEAST,
    most_flips: float = MOST_FLIPS,
    progress: Progress | None = None,
) -> GoldenReport:
    """Judge the rows of a golden set under its policy.

    Args:
        bench: Whose engine judges.
        policy: The version to judge under.
        rows: As `read_golden` gives them, with or without disguises of them.
        least: Share of the set's own rows that must be right, 0 to 1.
        most_flips: Share of variants that may flip, 0 to 1.
        progress: Told after each row how many are done, and of how many.

    Raises:
        AfterguardError: The engine died, or cannot be used.
    """
    room, done, began = asyncio.Semaphore(_AT_ONCE), 0, monotonic()

    async def judged(row: LabelledRow) -> Finding:
        nonlocal done
        async with room:
            (finding,) = await bench.findings(Case(row.row_id, row.event, (policy,)))
        done += 1
        if progress is not None:
            progress(done, len(rows))
        return finding

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(judged(row)) for row in rows]
    except BaseExceptionGroup as several:
        raise first_of(several) from None
    findings = {row.row_id: task.result() for row, task in zip(rows, tasks, strict=True)}
    graded = tuple(_graded(row, findings, policy) for row in rows)
    return GoldenReport(policy, graded, monotonic() - began, least, most_flips)


def grade(finding: Finding, *, expected: bool, rules: Sequence[str] = ()) -> Grade:
    """How a finding compares with what is expected.

    Args:
        finding: What was found.
        expected: Whether the row violates the policy.
        rules: Rules of which one must be cited; empty when any will do.
    """
    outcome = finding.reading.outcome
    if outcome is Outcome.UNCERTAIN:
        return Grade.UNCERTAIN
    if outcome not in ANSWERED:
        return Grade.UNANSWERED
    if (outcome is Outcome.VIOLATION) is not expected:
        return Grade.WRONG
    if rules and not set(rules) & set(finding.reading.rule_ids):
        return Grade.WRONG_RULE
    return Grade.RIGHT


def _graded(row: LabelledRow, findings: dict[str, Finding], policy: Policy) -> GradedRow:
    expected = row.expected[policy.id]
    finding = findings[row.row_id]
    how = grade(finding, expected=expected, rules=row.rules.get(policy.id, ()))
    first = findings.get(row.variant_of) if row.variant_of is not None else None
    if first is None or first.reading.outcome not in ANSWERED:
        return GradedRow(row, expected, finding, how)
    before, after = first.reading.outcome, finding.reading.outcome
    escaped = before is Outcome.VIOLATION and after is Outcome.NO_VIOLATION
    return GradedRow(row, expected, finding, how, before is not after, escaped)


def _flips(rows: Sequence[GradedRow]) -> Share:
    compared = [it for it in rows if it.flipped is not None]
    return Share(sum(it.flipped is True for it in compared), len(compared))


def _rounded(share: Share) -> float | None:
    return None if share.value is None else round(share.value, 4)
