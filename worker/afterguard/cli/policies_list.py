"""`afterguard policies list`: what is in force, what is on trial, and what the folder holds."""

import asyncio
from pathlib import Path
from typing import Any, Final

import orjson
import typer
from rich.table import Table

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.cli.policy_desk import Desk, desk
from afterguard.cli.wide_console import wide_console
from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.policy.document import parse_policy

_WIDE: Final = 180


def list_command(
    config: Path | None = CONFIG,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Show the versions in force and on trial, and whether the folder's documents are others.

    Example:  afterguard policies list
    """
    with told_plainly():
        rows, place = asyncio.run(_look(config))
    if as_json:
        typer.echo(orjson.dumps({"store": place, "policies": rows}).decode())
        return
    table = Table(
        "policy", "title", "in force", "on trial", "in the folder", "last change", box=None
    )
    for row in rows:
        table.add_row(*_cells(row))
    wide_console(_WIDE).print(table)
    typer.echo(f"store: {place}")


async def _look(config: Path | None) -> tuple[list[dict[str, Any]], str]:
    async with desk(config) as it:
        return [await _row(it, name) for name in it.ids], it.store.place


async def _row(it: Desk, name: str) -> dict[str, Any]:
    folder = it.folder.get(name)
    in_folder = folder.policy.version if folder else None
    active, shadow = it.state.active(name), it.state.shadow(name)
    policy = folder.policy if folder and active in {None, in_folder} else None
    if active is not None and policy is None:
        policy = await _kept(it, name, active)
    pointer = it.state.policies.get(name)
    last = pointer.changed if pointer else None
    return {
        "id": name,
        "title": policy.title if policy else None,
        "version": it.in_force(name),
        "stage": "active" if active else (policy.stage.value if policy else None),
        "from": "store" if active else "folder",
        "shadow": {"version": shadow.version, "share": shadow.share} if shadow else None,
        "folder": in_folder,
        "differs": active is not None and active != in_folder,
        "changed": last.model_dump(mode="json", exclude={"scores"}) if last else None,
    }


async def _kept(it: Desk, name: str, version: str) -> Policy | None:
    release = await it.store.document(name, version)
    try:
        return parse_policy(release.text, Path(name)) if release else None
    except PolicyError:
        return None


def _cells(row: dict[str, Any]) -> list[str]:
    in_force = row["version"] or "-"
    if row["from"] == "folder":
        in_force += " (folder)"
    if row["stage"] == "shadow":
        in_force += " (shadow)"
    shadow = f"{row['shadow']['version']} of {row['shadow']['share']:.3g}" if row["shadow"] else "-"
    folder = row["folder"] or "-"
    if row["differs"] and row["folder"]:
        folder += " (differs)"
    last = row["changed"]
    told = f"{last['act']} by {last['by']}, {last['at'][:16]}" if last else "-"
    title = row["title"] or "(its text is missing)"
    return [row["id"], title, in_force, shadow, folder, told]
