"""How a golden run is shown: the rows that fail, and the figures.

The texts of a golden set were written by whoever owns the policy, and may be shown; those of
events may not.
"""

from typing import Final

import typer
from rich.table import Table

from afterguard.cli.wide_console import wide_console
from afterguard.contracts.words import Outcome
from afterguard.evaluation.golden_run import GoldenReport, Grade, GradedRow, Share
from afterguard.policy.labelled import LabelledRow

_WIDE: Final = 180
_MOST_ROWS: Final = 50
_MOST_TEXT: Final = 60


def tell_golden(report: GoldenReport) -> None:
    """Show the failing rows, each with its text cut short, and the figures."""
    failing = report.failing
    if failing:
        table = Table("row", "line", "expected", "found", "grade", "cited", "text", box=None)
        for it in failing[:_MOST_ROWS]:
            table.add_row(*_cells(it))
        wide_console(_WIDE).print(table)
        if len(failing) > _MOST_ROWS:
            typer.echo(f"and {len(failing) - _MOST_ROWS} more")
    right, flips = report.right, report.flips
    told = f"golden set: {right.part} of {right.whole} right (needed: {report.least:.0%})"
    if flips.whole:
        told += (
            f", {flips.part} of {flips.whole} variants flipped (at most {report.most_flips:.0%})"
        )
    verdict = "passes" if report.passes else "does not pass"
    colour = typer.colors.GREEN if report.passes else typer.colors.RED
    typer.secho(f"{told}: {verdict}, {report.seconds:.1f} s", fg=colour)


def tell_slices(report: GoldenReport) -> None:
    """Show the figures of each tag, and what the own rows came to."""
    table = Table("tag", "right", "flipped", box=None)
    for tag, figures in report.by_tag().items():
        table.add_row(tag, _share(figures.right), _share(figures.flips))
    wide_console(_WIDE).print(table)
    grades = [it.grade for it in report.own]
    counts = ", ".join(f"{_words(grade)}: {grades.count(grade)}" for grade in Grade)
    typer.echo(f"own rows: {len(grades)}; {counts}")
    if report.variants:
        typer.echo(
            f"variants: {len(report.variants)}; flipped: {_share(report.flips)}; "
            f"from violation to none: {_share(report.escapes)}"
        )
    read, written = report.tokens()
    typer.echo(f"tokens: {read} read, {written} written")


def golden_fields(report: GoldenReport, model: str) -> dict[str, object]:
    """The whole report for a program, without the texts.

    Args:
        report: The run.
        model: Which model judged.
    """
    return {
        "policy_id": report.policy.id,
        "policy_version": report.policy.version,
        "model": model,
        **report.scores(),
        "tags": {
            tag: {
                "rows": figures.right.whole,
                "right": figures.right.part,
                "compared": figures.flips.whole,
                "flips": figures.flips.part,
            }
            for tag, figures in report.by_tag().items()
        },
        "judged": [_fields(it) for it in report.rows],
    }


def _fields(it: GradedRow) -> dict[str, object]:
    reading = it.finding.reading
    return {
        "id": it.row.row_id,
        "source": it.row.source,
        "variant_of": it.row.variant_of,
        "tags": it.row.tags,
        "expected": _expected(it),
        "outcome": it.outcome,
        "reason": reading.reason,
        "grade": it.grade,
        "flipped": it.flipped,
        "escaped": it.escaped,
        "rule_ids": reading.rule_ids,
        "score": it.finding.score,
    }


def _cells(it: GradedRow) -> list[str]:
    grade = "flipped" if it.flipped else _words(it.grade)
    reason = it.finding.reading.reason
    found = f"{it.outcome} ({reason})" if reason else str(it.outcome)
    cited = ", ".join(it.finding.reading.rule_ids) or "-"
    line = it.row.source.rpartition(":")[2] or "-"
    return [it.row.row_id, line, _expected(it), found, grade, cited, _text(it.row)]


def _expected(it: GradedRow) -> Outcome:
    return Outcome.VIOLATION if it.expected else Outcome.NO_VIOLATION


def _text(row: LabelledRow) -> str:
    content = row.event.content
    text = content if isinstance(content, str) else " / ".join(turn.text for turn in content)
    clean = "".join(char if char.isprintable() else "·" for char in text[: _MOST_TEXT + 1])
    return clean if len(text) <= _MOST_TEXT else f"{clean[:_MOST_TEXT]}…"


def _words(grade: Grade) -> str:
    return grade.value.replace("_", " ")


def _share(share: Share) -> str:
    return "-" if share.value is None else f"{share.part} of {share.whole} ({share.value:.0%})"
