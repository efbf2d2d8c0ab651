"""`afterguard doctor`: looks at everything the worker needs and says what to do."""

import asyncio
from pathlib import Path
from typing import Final

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from afterguard.cli.doctor_looks import Finding, examine
from afterguard.cli.options import CONFIG, settings_of
from afterguard.contracts.errors import SettingsError

_AMISS: Final = 1
_WIDE: Final = 200
_MARKS: Final = {True: "[green]ok", False: "[red]wrong", None: "[yellow]note"}


def doctor_command(
    config: Path | None = CONFIG,
    as_json: bool = typer.Option(False, "--json", help="Print the findings as JSON."),
) -> None:
    """Check settings, policies, broker, topics, Redis, engine, model, GPU and collector of traces.

    Says what to do about each thing that is wrong. Ends with 0 when the worker could start, else
    with 1; a note keeps no worker from starting.

    Example:  afterguard doctor --config afterguard.yaml
    """
    try:
        findings = asyncio.run(examine(settings_of(config, log_level="error")))
    except SettingsError as error:  # without settings there is nothing else to look at
        remedy = "correct the settings file or the AFTERGUARD_… variable"
        findings = [Finding("settings", ok=False, found=it, remedy=remedy) for it in error.problems]
    if as_json:
        typer.echo(orjson.dumps(findings).decode())
    else:
        _show(findings)
    if any(finding.ok is False for finding in findings):
        raise typer.Exit(_AMISS)


def _show(findings: list[Finding]) -> None:
    table = Table("", "", "found", "what to do")
    for it in findings:
        table.add_row(_MARKS[it.ok], it.subject, escape(it.found), escape(it.remedy))
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)
