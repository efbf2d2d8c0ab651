"""`afterguard policies history`: who changed a policy, when, why, and on what figures."""

import asyncio
from pathlib import Path
from typing import Final

import typer
from rich.table import Table

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.cli.policy_desk import desk
from afterguard.cli.wide_console import wide_console
from afterguard.contracts.errors import SettingsError
from afterguard.policy.store import Act, HistoryEntry

_WIDE: Final = 200


def history_command(
    policy: str = typer.Argument(metavar="ID", help="Id of a policy."),
    config: Path | None = CONFIG,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object for each change."),
) -> None:
    """Show every change of a policy, the first one first.

    Example:  afterguard policies history harassment
    """
    with told_plainly():
        entries = asyncio.run(_read(config, policy))
    if as_json:
        for entry in entries:
            typer.echo(entry.model_dump_json())
        return
    table = Table("revision", "when", "who", "what", "golden set", "why", box=None)
    for entry in entries:
        table.add_row(
            str(entry.revision),
            f"{entry.at:%Y-%m-%d %H:%M:%S %Z}",
            entry.by,
            _what(entry),
            golden(entry),
            entry.because or "-",
        )
    wide_console(_WIDE).print(table)


def _what(entry: HistoryEntry) -> str:
    """What was done, in a few words."""
    before, after = entry.before or "the folder's", entry.after or "the folder's"
    match entry.act:
        case Act.ACTIVATE:
            return f"activated {after}, was {before}"
        case Act.ROLLBACK:
            return f"rolled back to {after}, was {before}"
        case Act.SHADOW:
            return f"on trial {after}, share {entry.share:g}"
        case Act.SHADOW_OFF:
            return f"off trial {entry.before or 'none'}"


def golden(entry: HistoryEntry) -> str:
    """How its golden set went."""
    scores = entry.scores
    if scores is None:
        return "not run" + (", despite that" if entry.despite_failures else "")
    told = f"{scores.get('right', '?')} of {scores.get('rows', '?')} right"
    if scores.get("variants"):
        told += f", {scores.get('flips', '?')} of {scores['variants']} flipped"
    if entry.model:
        told += f" ({entry.model})"
    return told + (", despite failures" if entry.despite_failures else "")


async def _read(config: Path | None, policy: str) -> list[HistoryEntry]:
    async with desk(config) as it:
        entries = await it.store.history(policy)
        if not entries and policy not in it.folder:
            known = ", ".join(it.ids)
            raise SettingsError([f"there is no policy {policy!r}; there are {known}"])
        return entries
