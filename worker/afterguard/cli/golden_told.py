"""How a golden run is shown: the rows that fail, and the figures."""

from typing import Final

import typer
from rich.console import Console
from rich.table import Table

from afterguard.contracts.words import Outcome
from afterguard.evaluation.golden_run import GoldenReport, GradedRow

_WIDE: Final = 160
_MOST_ROWS: Final = 50


def tell_golden(report: GoldenReport) -> None:
    """Show the failing rows by id and place, and the figures; the texts stand in the set."""
    failing = report.failing
    if failing:
        table = Table("row", "where", "expected", "found", "grade", "cited", box=None)
        for it in failing[:_MOST_ROWS]:
            table.add_row(*_cells(it))
        console = Console(highlight=False, markup=False)
        if not console.is_terminal:
            console.width = _WIDE  # a pipe has no width; names must not be cut
        console.print(table)
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


def _cells(it: GradedRow) -> list[str]:
    expected = Outcome.VIOLATION if it.expected else Outcome.NO_VIOLATION
    grade = "flipped" if it.flipped else it.grade.value.replace("_", " ")
    reason = it.finding.reading.reason
    found = f"{it.outcome} ({reason})" if reason else str(it.outcome)
    cited = ", ".join(it.finding.reading.rule_ids) or "-"
    return [it.row.row_id, it.row.source or "-", expected, found, grade, cited]
