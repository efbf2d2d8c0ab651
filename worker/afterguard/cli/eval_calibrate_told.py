"""What `afterguard eval calibrate` tells: before and after, the reliability curve, thresholds."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from afterguard.cli.wide_console import wide_console
from afterguard.evaluation.curves import calibration_error
from afterguard.policy.calibration import curve_of
from afterguard.policy.calibration_document import ReliabilityBin

if TYPE_CHECKING:  # it needs packages of the extra
    from afterguard.evaluation.fit_scores import Fitted, ScoredRows
    from afterguard.evaluation.thresholds import Chosen, HeldOut, Want

_BAR: Final = 30
_WIDE: Final = 160


class Calibrated(NamedTuple):
    """What became of one set of rows.

    Attributes:
        rows: That were to be fitted on.
        fitted: None when they could not be.
        refusal: Why not.
    """

    rows: "ScoredRows"
    fitted: "Fitted | None"
    refusal: str


def tell(done: Sequence[Calibrated], folder: Path | None) -> None:
    """Tell a person."""
    console = wide_console(_WIDE)
    for it in done:
        _tell(console, it)
        if it.fitted is not None and folder is not None:
            typer.echo(f"written: {folder / it.rows.policy}.json")
        typer.echo()


def as_dict(done: Sequence[Calibrated], folder: Path | None) -> dict[str, Any]:
    """The same for machines."""
    return {
        "ok": all(it.fitted is not None for it in done),
        "policies": [_as_dict(it, folder) for it in done],
    }


def _tell(console: Console, it: Calibrated) -> None:
    rows = it.rows
    typer.secho(
        f"{rows.policy} {rows.version}, {rows.model}, effort {rows.effort.value}", bold=True
    )
    typer.echo(
        f"rows: {len(rows.labels)}, violations: {sum(rows.labels)}; left out: "
        f"{rows.unknown} of unknown label, {rows.unscored} without a score"
    )
    if it.fitted is None:
        typer.secho(f"not fitted: {it.refusal}", fg=typer.colors.RED)
        return
    fit = it.fitted.fit
    for warning in it.fitted.warnings:
        typer.secho(warning, fg=typer.colors.YELLOW)
    losses = Table("less is better", "as the model gave them", "fitted, held out", box=None)
    for name, before, after in (
        ("Brier", fit.before.brier, fit.after.brier),
        ("log loss", fit.before.log_loss, fit.after.log_loss),
        (
            "calibration error",
            calibration_error(it.fitted.before),
            calibration_error(fit.reliability),
        ),
    ):
        losses.add_row(name, _figure(before, 4), _figure(after, 4))
    console.print(losses)
    typer.echo(f"method: {fit.curve.method}")
    typer.echo("bars: share that violates; │ is where the score promises them to end")
    console.print(_curve("as the model gave them", it.fitted.before))
    console.print(_curve("fitted, on folds not fitted on", fit.reliability))
    for want, chosen, held in it.fitted.chosen:
        typer.echo(_choice(want, chosen, held))
    if lines := _lines(it.fitted):
        typer.echo("for the front matter of the policy:")
        for line in lines:
            typer.echo(f"    {line}")


def _curve(title: str, bins: Sequence[ReliabilityBin]) -> Table:
    table = Table("rows", "score", "violate", "", title=title, title_justify="left", box=None)
    for it in bins:
        table.add_row(str(it.rows), f"{it.score:.3f}", f"{it.share:.3f}", _bar(it))
    return table


def _bar(it: ReliabilityBin) -> str:
    """The share as a bar, with a mark where the score promises it to end."""
    full, promised = round(it.share * _BAR), round(it.score * _BAR)
    cells = ["█" if place < full else "·" for place in range(_BAR)]
    cells[min(promised, _BAR - 1)] = "│"
    return "".join(cells)


def _choice(want: "Want", chosen: "Chosen", held: "HeldOut") -> str:
    asked = f"{want.kind.value} of at least {want.least:g}: "
    if chosen.threshold is None:
        return f"{asked}none; {chosen.reason}"
    told = (
        f"{asked}from {chosen.threshold:.4f} on (precision {_figure(chosen.precision.value)}, "
        f"recall {_figure(chosen.recall.value)}, {_figure(chosen.flagged)} of the rows; "
        f"at least {_figure(chosen.low)} with 95 % confidence)"
    )
    if held.figure.value is None:
        return f"{told}; not checked: {held.figure.reason}"
    word = "holds" if held.holds else "does not hold"
    return (
        f"{told}; {word} on held-out folds: {held.figure.value:.3f}, at least {_figure(held.low)}"
    )


def _lines(fitted: "Fitted") -> list[str]:
    from afterguard.evaluation.policy_lines import policy_lines  # noqa: PLC0415 (an extra)

    found = {want.kind.value: chosen.threshold for want, chosen, _ in fitted.chosen}
    turn = curve_of(fitted.fit.curve)(0.5)
    return policy_lines(precision=found.get("precision"), recall=found.get("recall"), turn=turn)


def _figure(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _as_dict(it: Calibrated, folder: Path | None) -> dict[str, Any]:
    rows = it.rows
    told: dict[str, Any] = {
        "policy": rows.policy,
        "version": rows.version,
        "model": rows.model,
        "effort": rows.effort.value,
        "rows": len(rows.labels),
        "violations": sum(rows.labels),
        "unknown": rows.unknown,
        "unscored": rows.unscored,
    }
    if it.fitted is None:
        return told | {"fit": None, "refusal": it.refusal}
    return told | {
        "fit": it.fitted.fit.model_dump(mode="json"),
        "warnings": it.fitted.warnings,
        "front_matter": _lines(it.fitted),
        "file": str(folder / f"{rows.policy}.json") if folder is not None else None,
    }
