"""`afterguard policies diff`: how two versions differ, in words and line by line."""

import asyncio
from difflib import unified_diff
from pathlib import Path
from typing import Final

import typer

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.cli.policy_desk import Version, desk
from afterguard.policy.differences import differences
from afterguard.policy.document import normalised

_COLOURS: Final = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}


def diff_command(
    before: str = typer.Argument(
        metavar="A", help="A document's path, `ID@VERSION`, or an id: its version in force."
    ),
    after: str = typer.Argument(metavar="B", help="Likewise."),
    config: Path | None = CONFIG,
) -> None:
    """Show how B differs from A: what changes for rules and fields, then every line.

    Versions may be cut short to four digits or more. Exits 1 when they differ, 0 when not.

    Example:  afterguard policies diff harassment policies/harassment.md
    """
    with told_plainly():
        old, new = asyncio.run(_find(config, before, after))
    told = differences(old.policy, new.policy)
    for line in told:
        typer.echo(line)
    lines = list(
        unified_diff(
            normalised(old.release.text).splitlines(),
            normalised(new.release.text).splitlines(),
            _title(old),
            _title(new),
            lineterm="",
        )
    )
    if told and lines:
        typer.echo()
    for line in lines:
        typer.secho(line, fg=_COLOURS.get(line[:1]))
    if lines:
        raise typer.Exit(1)
    typer.echo("no difference")


async def _find(config: Path | None, *names: str) -> list[Version]:
    async with desk(config) as it:
        return [await it.find(name) for name in names]


def _title(version: Version) -> str:
    return f"{version.name} {version.file}" if version.file else version.name
