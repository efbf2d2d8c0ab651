"""A golden set judged by the engine of the settings, with a bar while somebody waits."""

from collections.abc import Sequence
from typing import NamedTuple

import typer
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from afterguard.contracts.policies import Policy
from afterguard.engine.create import create_judge
from afterguard.evaluation.bench import open_bench
from afterguard.evaluation.golden_run import LEAST, MOST_FLIPS, GoldenReport, run_golden
from afterguard.policy.calibration import fitted_scores
from afterguard.policy.labelled import LabelledRow
from afterguard.policy_room import learn
from afterguard.settings import Settings


class JudgedSet(NamedTuple):
    """What became of a set, and which model judged it."""

    report: GoldenReport
    model: str


async def judged(
    settings: Settings,
    policy: Policy,
    rows: Sequence[LabelledRow],
    *,
    calibration: str | None = None,
    least: float = LEAST,
    most_flips: float = MOST_FLIPS,
) -> JudgedSet:
    """Start the engine, judge the rows, stop it.

    Args:
        settings: Whose engine judges.
        policy: The version to judge under.
        rows: As `read_golden` gives them, with or without disguises of them.
        calibration: What was fitted for this version, as a release carries it: once it is in force
            its scores are weighed by that.
        least: Share of the set's own rows that must be right.
        most_flips: Share of variants that may flip.

    Raises:
        PolicyError: The calibration cannot be used.
        SettingsError: The engine's package is not installed, or a setting cannot be used.
        EngineError: The engine cannot be started, or died.
    """

    def say(text: str) -> None:
        typer.echo(text, err=True)

    judge = create_judge(settings.engine, registry=CollectorRegistry(), progress=say)
    scores = fitted_scores(settings.policies, judge.model)
    if calibration is not None:
        learn(scores, policy, calibration)
    with Progress(
        TextColumn("golden set"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} rows"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        task = progress.add_task("", total=len(rows))

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        async with open_bench(settings, judge=judge, scores=scores) as bench:
            report = await run_golden(
                bench, policy, rows, least=least, most_flips=most_flips, progress=show
            )
    return JudgedSet(report, judge.model)
