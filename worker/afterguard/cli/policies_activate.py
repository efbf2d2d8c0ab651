"""`afterguard policies activate`: a version in force in every running worker, if its set passes."""

import asyncio
from pathlib import Path
from typing import NamedTuple

import typer

from afterguard.cli.chosen_policy import document_of
from afterguard.cli.failing import told_plainly
from afterguard.cli.golden_judged import JudgedSet, judged
from afterguard.cli.golden_told import tell_golden
from afterguard.cli.options import CONFIG
from afterguard.cli.policy_desk import BECAUSE, BY, Desk, Version, change, desk, who
from afterguard.cli.policy_remarks import tell_warnings
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.policies import Stage
from afterguard.policy.golden import golden_path, read_golden
from afterguard.policy.store import Act, Change, StoreState


class _Wish(NamedTuple):
    """What was asked for; see the options of the command."""

    name: str
    golden: Path | None
    by: str
    because: str
    despite: bool


def activate_command(
    policy: str = typer.Argument(
        metavar="PATH|ID@VERSION", help="A document, or a version that the store has."
    ),
    config: Path | None = CONFIG,
    golden: Path | None = typer.Option(
        None, "--golden", metavar="FILE", help="Instead of `golden/<id>.jsonl` beside the document."
    ),
    by: str | None = BY,
    because: str = BECAUSE,
    despite_failures: bool = typer.Option(
        False, "--despite-failures", help="Activate it all the same; needs --because, and is kept."
    ),
) -> None:
    """Put a version in force in every running worker, within about a second and without a restart.

    First its golden set is judged by the engine of the settings. Rows that fail are shown, and
    nothing changes: exit code 83. Events that are being judged end under the version before.
    A version on trial is promoted by `ID@VERSION`. Exits 84 when somebody else changes the policy
    while the set is judged.

    Example:  afterguard policies activate policies/harassment.md --because "launch day"
    """
    if despite_failures and not because.strip():
        raise typer.BadParameter("needs --because", param_hint="--despite-failures")
    wish = _Wish(policy, golden, who(by), because, despite_failures)
    with told_plainly():
        code = asyncio.run(_activate(config, wish))
    if code:
        raise typer.Exit(code)


async def _activate(config: Path | None, wish: _Wish) -> ExitCode:
    async with desk(config) as it:
        found = await it.find(wish.name)
        if await _in_force(it, found):
            typer.echo(f"{found.name} is in force already; nothing was changed")
            return ExitCode.DRAINED
        tell_warnings(found.release.text, found.file or Path(found.name))
        run = await _golden(it, found, wish)
        if run is not None:
            tell_golden(run.report)
        if run is None or not run.report.passes:
            if not wish.despite:
                typer.secho(
                    f"{found.name} is refused; nothing was changed", err=True, fg=typer.colors.RED
                )
                return ExitCode.REFUSED
            typer.secho("activated all the same", err=True, fg=typer.colors.YELLOW)
        state = await it.store.change(_change(found, wish, run), expected=it.state.revision)
        _tell(it, found, state)
    return ExitCode.DRAINED


async def _in_force(it: Desk, found: Version) -> bool:
    """Whether nothing would change: neither the version nor what is fitted for it."""
    policy = found.policy
    if it.state.active(policy.id) != policy.version:
        return False
    kept = await it.store.document(policy.id, policy.version)
    return kept is not None and kept.calibration == found.release.calibration


async def _golden(it: Desk, found: Version, wish: _Wish) -> JudgedSet | None:
    """How the golden set went; None when there is none and that is accepted or refused.

    Raises:
        PolicyError: The set is wrong.
        SettingsError: A set that was named is not there.
        EngineError: The engine cannot be started, or died.
    """
    document = found.file or document_of(found.policy.id, it.settings.policies)
    path = wish.golden or golden_path(document, found.policy.id)
    if not path.is_file():
        if wish.golden is not None:
            raise SettingsError([f"{path}: no such file"])
        typer.secho(
            f"{found.policy.id} has no golden set: {path} is not there",
            err=True,
            fg=typer.colors.RED,
        )
        return None
    rows = read_golden(path, found.policy)
    return await judged(it.settings, found.policy, rows, calibration=found.release.calibration)


def _change(found: Version, wish: _Wish, run: JudgedSet | None) -> Change:
    return change(
        policy_id=found.policy.id,
        act=Act.ACTIVATE,
        version=found.policy.version,
        by=wish.by,
        because=wish.because,
        scores=run.report.scores() if run else None,
        model=run.model if run else None,
        despite_failures=run is None or not run.report.passes,
        release=found.release,
    )


def _tell(it: Desk, found: Version, state: StoreState) -> None:
    policy = found.policy
    before = it.in_force(policy.id) or "none"
    told = f"{policy.id}: {policy.version} is in force (revision {state.revision}); was {before}"
    typer.secho(told, bold=True)
    if policy.stage is Stage.SHADOW:
        typer.echo("its document says `stage: shadow`; activated, its verdicts are acted upon")
    only = it.settings.policies.only
    if only is not None and policy.id not in only:
        typer.secho(
            f"`policies.only` of these settings leaves {policy.id} out: a worker with them does "
            "not judge under it",
            err=True,
            fg=typer.colors.YELLOW,
        )
