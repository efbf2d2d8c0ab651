"""What a comparison of two runs tells at a terminal."""

from rich.table import Table

from afterguard.cli.evaluate_report import WIDE
from afterguard.cli.wide_console import wide_console
from afterguard.evaluation.compare import Compared, Comparison, Line
from afterguard.evaluation.report_html import percent


def tell_comparison(compared: Comparison) -> None:
    """Print what became better or worse."""
    console = wide_console(WIDE)
    for it in compared.differences:
        console.print(f"differs: {it}")
    for part in compared.compared:
        console.print(
            f"{part.policy}: {part.pairs} rows with a label in both; only the first is right on "
            f"{part.only_first_right}, only the second on {part.only_second_right} (McNemar "
            f"p = {part.p:.3f})"
        )
        console.print(_table(part))
    if compared.only_in_first or compared.only_in_second or compared.changed_texts:
        console.print(
            f"left out: {compared.only_in_first} results of the first run alone, "
            f"{compared.only_in_second} of the second alone, {compared.changed_texts} whose text "
            "has changed"
        )
    if compared.missing:
        console.print(f"the second run is not at its end: {compared.missing} results are missing")
    console.print("regression" if compared.regressed else "no regression")


def _table(part: Compared) -> Table:
    table = Table(
        "measure",
        "first",
        "second",
        "difference",
        "95 % interval",
        "change",
        box=None,
    )
    for line in part.lines:
        table.add_row(
            line.measure.value,
            percent(line.first),
            percent(line.second),
            _signed(line.difference.value),
            _interval(line),
            line.change.value if line.gates else f"({line.change.value})",
        )
    table.add_row("undecided rows", *map(str, part.undecided))
    return table


def _interval(line: Line) -> str:
    low, high = line.difference.low, line.difference.high
    return "-" if low is None or high is None else f"{_signed(low)} to {_signed(high)}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:+.1f}"
