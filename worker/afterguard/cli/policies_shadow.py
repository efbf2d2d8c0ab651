"""`afterguard policies shadow`: a version on trial, judged on a share of events, never acted on."""

import asyncio
from pathlib import Path

import typer

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.cli.policy_desk import BECAUSE, BY, Version, change, desk, who
from afterguard.cli.policy_remarks import tell_warnings
from afterguard.contracts.errors import SettingsError
from afterguard.policy.store import Act, StoreState


def shadow_command(
    policy: str = typer.Argument(
        metavar="PATH|ID@VERSION", help="What is tried; with --off, the id of a policy."
    ),
    share: float | None = typer.Option(
        None, "--share", min=0, max=1, help="Of the events that it applies to, such as 0.1."
    ),
    off: bool = typer.Option(False, "--off", help="End the trial."),
    config: Path | None = CONFIG,
    by: str | None = BY,
    because: str = BECAUSE,
) -> None:
    """Let running workers judge a version beside the one in force, on a share of the events.

    Its verdicts are written to the audit topic and nothing follows from them; `afterguard policies
    compare` shows where it differs. It costs that share of the engine's time. A golden set is not
    run: it is when the version is activated. Exits 84 when somebody else changes the policy at
    the same moment.

    Example:  afterguard policies shadow policies/harassment.md --share 0.1
    """
    if off is (share is not None):
        raise typer.BadParameter("give either --share or --off")
    if share == 0:
        raise typer.BadParameter("a share must be above 0", param_hint="--share")
    with told_plainly():
        if share is None:
            state = asyncio.run(_end(config, policy, who(by), because))
            typer.secho(f"{policy}: off trial (revision {state.revision})", bold=True)
            return
        found, state = asyncio.run(_begin(config, policy, share, who(by), because))
    told = f"{found.name}: on trial on {share:.3g} of its events (revision {state.revision})"
    typer.secho(told, bold=True)


async def _begin(
    config: Path | None, name: str, share: float, by: str, because: str
) -> tuple[Version, StoreState]:
    async with desk(config) as it:
        found = await it.find(name)
        policy = found.policy
        if it.in_force(policy.id) == policy.version:
            raise SettingsError([f"{found.name} is in force: there is nothing to try"])
        tell_warnings(found.release.text, found.file or Path(found.name))
        wish = change(
            policy_id=policy.id,
            act=Act.SHADOW,
            version=policy.version,
            share=share,
            by=by,
            because=because,
            release=found.release,
        )
        return found, await it.store.change(wish, expected=it.state.revision)


async def _end(config: Path | None, policy: str, by: str, because: str) -> StoreState:
    async with desk(config) as it:
        if it.state.shadow(policy) is None:
            raise SettingsError([f"{policy}: no version of it is on trial"])
        wish = change(policy_id=policy, act=Act.SHADOW_OFF, by=by, because=because)
        return await it.store.change(wish, expected=it.state.revision)
