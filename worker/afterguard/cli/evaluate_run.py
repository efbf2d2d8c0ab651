"""The work of `afterguard eval`: read, judge or go on judging, and report."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer
from prometheus_client import CollectorRegistry

from afterguard.cli.chosen_policy import chosen_policy
from afterguard.cli.evaluate_report import print_report
from afterguard.cli.evaluate_told import progress_of, tell_data
from afterguard.cli.options import settings_of
from afterguard.cli.replay_run import on_signals
from afterguard.contracts.errors import AfterguardError, SettingsError
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort, Outcome
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.model import prepare_model
from afterguard.engine.create import create_judge
from afterguard.engine.settings import EngineSettings
from afterguard.evaluation.bench import Bench, open_bench
from afterguard.evaluation.cost import Prices
from afterguard.evaluation.datasets import DataSet, Form, read_data, without_rows
from afterguard.evaluation.kept_rows import keep_rows
from afterguard.evaluation.label_map import read_label_map
from afterguard.evaluation.packs import policy_of_file
from afterguard.evaluation.results import CLASSIFIER, MODEL, ResultLog
from afterguard.evaluation.run import Sitting, sit
from afterguard.evaluation.run_record import (
    RunRecord,
    differences,
    read_record,
    record_of,
    save_record,
)
from afterguard.evaluation.selection import Task, chosen_rows, tasks
from afterguard.policy.labelled import LabelledRow
from afterguard.settings import Settings

_INTERRUPTED: Final = 130


class Wish(NamedTuple):
    """What was asked for; see the options of `afterguard eval`."""

    policies: Sequence[str]
    data: Sequence[Path]
    config: Path | None
    form: Form | None
    labels: Sequence[str]
    out: Path | None
    limit: int | None
    sample: int | None
    effort: Effort | None
    prompt: str | None
    judges: str | None
    unlabelled: bool
    embedded: bool
    concurrency: int | None
    retry_failed: bool
    prices: Prices
    as_json: bool


def evaluate(wish: Wish) -> int:
    """Run it, and report.

    Returns:
        The exit code.

    Raises:
        AfterguardError: Something is wrong with what was asked, or the engine died.
    """
    if wish.sample is not None and wish.limit is None:
        raise SettingsError(["--sample: say by --limit how many rows are to be drawn"])
    settings = _settings(wish)
    policies = _policies(wish, settings)
    data = _data(wish, policies)
    chosen = [chosen_rows(it.rows, wish.limit, wish.sample) for it in data]
    rows = [row for part in chosen for row in part]
    judges = _judges(wish, policies)
    record = record_of(
        settings,
        policies,
        list(zip(data, map(len, chosen), strict=True)),
        judges=judges,
        limit=wish.limit,
        sample=wish.sample,
        unlabelled_too=wish.unlabelled,
        embedded=wish.embedded,
    )
    folder = wish.out or Path(f"eval-{datetime.now():%Y%m%d-%H%M%S}")  # noqa: DTZ005 (a name)
    record = _opened(folder, record, rows)
    with ResultLog(folder) as log:
        done = {
            key
            for key, it in log.results.items()
            if not (wish.retry_failed and it.outcome is Outcome.FAILED)
        }
        together = record.prompt == "combined"
        left = list(
            tasks(rows, policies, judges, done, together=together, unlabelled_too=wish.unlabelled)
        )
        if done:
            typer.echo(f"{folder}: goes on, {len(done)} results are there", err=True)
        sitting = None
        if left:
            try:
                sitting = asyncio.run(_judge(wish, settings, folder, record, log, left))
            except AfterguardError:
                typer.echo(f"what was judged is kept; --out {folder} goes on", err=True)
                raise
    if sitting is not None and sitting.stopped:
        typer.echo(
            f"stopped after {sitting.done} of {sitting.tasks} rows; the same command with "
            f"--out {folder} goes on, `afterguard eval report {folder}` shows what there is",
            err=True,
        )
        return _INTERRUPTED
    print_report(folder, wish.prices, as_json=wish.as_json)
    return 0


async def _judge(
    wish: Wish,
    settings: Settings,
    folder: Path,
    record: RunRecord,
    log: ResultLog,
    left: Sequence[Task],
) -> Sitting:
    before = record.seconds, record.timed_rows

    def keep(sitting: Sitting) -> None:
        record.seconds = before[0] + sitting.seconds
        record.timed_rows = before[1] + sitting.done
        save_record(folder, record)

    stop = asyncio.Event()
    engine = settings.engine
    if all(task.judge == CLASSIFIER for task in left):
        # No model is asked: what a classifier gives no score for has failed.
        engine = EngineSettings(kind="null")
    judge = create_judge(engine, registry=CollectorRegistry(), progress=_say)
    with on_signals(stop.set), progress_of(len(left)) as show:
        async with AsyncExitStack() as stack:
            bench = await _unless(
                stop, stack.enter_async_context(open_bench(settings, judge=judge))
            )
            if bench is None:
                return Sitting(len(left), stopped=True)
            return await sit(
                bench,
                left,
                log,
                stop,
                engine=judge.engine,
                model=judge.model,
                at_once=wish.concurrency or _seats(settings, left),
                show=show,
                keep=keep,
            )


async def _unless(stop: asyncio.Event, opening: Coroutine[Any, Any, Bench]) -> Bench | None:
    """The bench; None when the run was asked to end while its engine was starting."""
    doing, asked = asyncio.ensure_future(opening), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else None
    finally:
        for task in (doing, asked):
            task.cancel()
        await asyncio.gather(doing, asked, return_exceptions=True)


def _seats(settings: Settings, left: Sequence[Task]) -> int:
    """Rows at once: so many that every seat of the engine is taken, and a few wait at the door."""
    together = settings.judging.prompt == "combined"
    each = 1 if together else max(len(task.policies) for task in left)
    return max(1, -(-settings.engine.max_num_seqs // each) + 1)


def _say(stage: str) -> None:
    typer.echo(f"  {stage}", err=True)


def _settings(wish: Wish) -> Settings:
    overrides: dict[str, Any] = {}
    if wish.prompt is not None:
        overrides["judging"] = {"prompt": wish.prompt}
    settings = settings_of(wish.config, overrides=overrides)
    if wish.embedded:
        prepare_environment()
        given = {
            name: getattr(settings.engine, name)
            for name in settings.engine.model_fields_set - {"kind", "model", "model_name"}
        }
        settings.engine = cpu_engine_settings(prepare_model(_say), **given)
    return settings


def _policies(wish: Wish, settings: Settings) -> list[Policy]:
    if not wish.policies:
        raise SettingsError(["--policy: name at least one, such as --policy harassment"])
    policies: dict[str, Policy] = {}
    for name in wish.policies:
        policy = _policy(name, settings)
        if policy.id in policies:
            raise SettingsError([f"--policy {name}: the id {policy.id} is there twice"])
        policies[policy.id] = policy if wish.effort is None else _with(policy, wish.effort)
    return list(policies.values())


def _policy(name: str, settings: Settings) -> Policy:
    if Path(name).suffix or "/" in name:
        return policy_of_file(Path(name))
    return chosen_policy(name, settings.policies)


def _with(policy: Policy, effort: Effort) -> Policy:
    """The policy at another effort; a second look that would be no longer is left out."""
    look = policy.second_look
    if look is not None and look.effort.rank <= effort.rank:
        look = None
    return policy.model_copy(update={"effort": effort, "second_look": look})


def _data(wish: Wish, policies: Sequence[Policy]) -> list[DataSet]:
    if not wish.data:
        raise SettingsError(["--data: name at least one file of labelled rows"])
    named = read_label_map(wish.labels)
    if unknown := sorted(set(named.values()) - {policy.id for policy in policies}):
        raise SettingsError([f"--labels: no policy of this run: {', '.join(unknown)}"])
    several = len(wish.data) > 1
    names = [path.name.partition(".")[0] for path in wish.data]
    read: list[DataSet] = []
    for number, (path, name) in enumerate(zip(wish.data, names, strict=True), start=1):
        unique = name if names.count(name) == 1 else f"{name}-{number}"
        prefix = f"{unique}/" if several else ""
        read.append(read_data(path, policies, form=wish.form, labels=named, prefix=prefix))
    tell_data(read)
    if not any(data.rows for data in read):
        raise SettingsError([without_rows(data) for data in read])
    return read


def _judges(wish: Wish, policies: Sequence[Policy]) -> list[str]:
    if wish.judges is None:
        return []
    judges = [name.strip() for name in wish.judges.split(",")]
    if set(judges) - {MODEL, CLASSIFIER} or len(set(judges)) < len(judges):
        raise SettingsError([f"--judges {wish.judges}: must be model, classifier or both"])
    if CLASSIFIER in judges and (none := [it.id for it in policies if it.classifier is None]):
        raise SettingsError(
            [f"--judges classifier: no classifier is named by the policy {', '.join(none)}"]
        )
    return judges


def _opened(folder: Path, record: RunRecord, rows: Sequence[LabelledRow]) -> RunRecord:
    """The record of the folder: the one that is there, when it is of the same run.

    Raises:
        SettingsError: It is of another run, or the folder cannot be written.
    """
    before = read_record(folder)
    if before is not None:
        if changed := differences(before, record):
            raise SettingsError(
                [
                    f"{folder}: holds a run of other settings; name another folder by --out:",
                    *(f"  {it}" for it in changed),
                ]
            )
        return before
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise SettingsError([f"{folder}: is not empty, and holds no run; name another folder"])
    except OSError as error:
        raise SettingsError([f"{folder}: {error.strerror}"]) from None
    keep_rows(folder, rows)
    save_record(folder, record)
    return record
