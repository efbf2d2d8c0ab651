"""`afterguard policies rollback`: the version before, in force again."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import typer

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.cli.policies_history import golden
from afterguard.cli.policy_desk import BECAUSE, BY, Desk, change, desk, who
from afterguard.contracts.errors import SettingsError
from afterguard.policy.store import Act, HistoryEntry, StoreState


class _Target(NamedTuple):
    version: str | None
    told: str


def rollback_command(
    policy: str = typer.Argument(metavar="ID", help="Id of a policy."),
    to: str | None = typer.Option(
        None, "--to", metavar="VERSION", help="Another one than the version before."
    ),
    config: Path | None = CONFIG,
    by: str | None = BY,
    because: str = BECAUSE,
) -> None:
    """Put the version before in force again, at once: no engine is needed.

    Its golden set is not run again: it was when that version was activated. Called again, it goes
    one version further back, at last to the document of the folder. Exits 84 when somebody else
    changes the policy at the same moment.

    Example:  afterguard policies rollback harassment --because "flags quotations"
    """
    with told_plainly():
        target, state = asyncio.run(_roll_back(config, policy, to, who(by), because))
    version = target.version or "the document of the folder"
    typer.secho(f"{policy}: {version} is in force again (revision {state.revision})", bold=True)
    typer.echo(target.told)


async def _roll_back(
    config: Path | None, policy: str, to: str | None, by: str, because: str
) -> tuple[_Target, StoreState]:
    async with desk(config) as it:
        active = it.state.active(policy)
        if policy not in it.state.policies:
            raise SettingsError([f"{policy}: no version of it was ever activated"])
        history = await it.store.history(policy)
        target = await _chosen(it, policy, to, history) if to else _before(policy, active, history)
        if target.version == active:
            raise SettingsError([f"{policy}: {to} is in force"])
        if target.version is not None and not await it.store.document(policy, target.version):
            raise SettingsError([f"{policy}@{target.version}: its text is not in the store"])
        wish = change(
            policy_id=policy, act=Act.ROLLBACK, version=target.version, by=by, because=because
        )
        return target, await it.store.change(wish, expected=it.state.revision)


def _before(policy: str, active: str | None, history: Sequence[HistoryEntry]) -> _Target:
    for entry in reversed(history):
        if entry.act is Act.ACTIVATE and entry.after == active:
            return _Target(entry.before, _told(entry.before, history))
    raise SettingsError([f"{policy}: there is no version before the one in force"])


async def _chosen(it: Desk, policy: str, to: str, history: Sequence[HistoryEntry]) -> _Target:
    version = await it.whole(policy, to)
    if not any(entry.act is Act.ACTIVATE and entry.after == version for entry in history):
        name = f"{policy}@{version}"
        told = f"{name} was never activated; `afterguard policies activate {name}` does that"
        raise SettingsError([told])
    return _Target(version, _told(version, history))


def _told(version: str | None, history: Sequence[HistoryEntry]) -> str:
    if version is None:
        return "from now on the store says nothing of it: each worker uses its own folder"
    for entry in reversed(history):
        if entry.act is Act.ACTIVATE and entry.after == version:
            when = f"{entry.at:%Y-%m-%d %H:%M %Z}"
            return f"golden set not run again; at its activation on {when}: {golden(entry)}"
    return "golden set not run again"
