"""`afterguard dead-letters replay`: put originals back to their topic, each once."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson
import typer

from afterguard.cli import dead_letters_filters as by
from afterguard.cli.dead_letters_told import as_fields, counted, plain, progress, state
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, settings_of
from afterguard.cli.replay_run import on_signals
from afterguard.contracts.errors import TopicMissing
from afterguard.contracts.exit_codes import exit_code
from afterguard.contracts.words import Outcome
from afterguard.flow.admit import utc_now
from afterguard.settings import Settings
from afterguard.stream.dead_letters import Catalogue, Letter
from afterguard.stream.kafka.admin import topic_states
from afterguard.stream.kafka.letter_log import KafkaLetterLog, replay_producer
from afterguard.stream.letter_replay import LetterReplay, PutBack

_AMISS: Final = 1
_INTERRUPTED: Final = 130
_TOLD: Final = 10


def replay_command(
    reason: list[str] = by.REASON,
    outcome: Outcome | None = by.OUTCOME,
    topic: str | None = by.TOPIC,
    partition: int | None = by.PARTITION,
    offset: int | None = by.OFFSET,
    since: str | None = by.SINCE,
    until: str | None = by.UNTIL,
    event_id: list[str] = by.EVENT_ID,
    limit: int | None = typer.Option(None, "--limit", min=1, help="So many of the oldest."),
    to: str | None = typer.Option(
        None, "--to", metavar="TOPIC", help="Put them there, not where they came from; new ids."
    ),
    force: bool = typer.Option(
        False, "--force", help="Also what was replayed before, or has lost its key and headers."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be put back."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    as_json: bool = typer.Option(
        False, "--json", help="With --dry-run: print one JSON object a letter."
    ),
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
) -> None:
    """Put dead letters back to the topic they came from, to be judged again; each only once.

    Mend the cause first. Key, value and headers are as they were; two headers name the origin, so
    that verdict ids stay the same, and an intervention gets the number of the replay as its
    revision. What was put back is noted in the topic of dead letters, in one transaction with it:
    killed, stopped or started twice, nothing is put back twice. Call it again to go on.

    Exits 1 when some could not be put back, 130 after Ctrl-C.

    Example:  afterguard dead-letters replay --reason not_json --since 2h --dry-run
    """
    filters = by.Filters(
        reasons=reason,
        outcome=outcome,
        topic=topic,
        partition=partition,
        offset=offset,
        since=by.moment(since, "--since", utc_now),
        until=by.moment(until, "--until", utc_now),
        event_ids=event_id,
    )
    with told_plainly():
        settings = settings_of(config, bootstrap)
        catalogue = Catalogue(filters.choose)
        with progress(f"reading {settings.topics.dead_letters}") as told:
            log = KafkaLetterLog(settings.kafka, settings.topics.dead_letters, told)
            asyncio.run(log.scan(catalogue.take))
        letters = _chosen(catalogue, force=force, limit=limit)
        asyncio.run(_require_targets(settings, letters, to))
        if dry_run:
            _tell_plan(settings, letters, to, as_json=as_json)
            return
        if not letters:
            typer.echo("nothing to put back")
            return
        _tell_plan(settings, letters, to)
        if not yes:
            typer.confirm("Put them back?", abort=True)
        done = asyncio.run(_put_back(settings, catalogue, letters, to))
    _tell(done, len(letters))


def _chosen(catalogue: Catalogue, *, force: bool, limit: int | None) -> list[Letter]:
    found = sorted(catalogue.letters(), key=lambda it: (it.recorded_at, it.place))
    before = [it for it in found if it.whole and it.replays and not force]
    if before:
        typer.echo(
            f"{len(before)} left out: replayed before; --force puts them back again", err=True
        )
    lossy = [it for it in found if it.whole and it.left_out and it not in before and not force]
    if lossy:
        typer.echo(
            f"{len(lossy)} left out: their key and header values were too large to be kept; "
            "--force puts back the value alone",
            err=True,
        )
    for letter in (broken := [it for it in found if not it.whole])[:_TOLD]:
        typer.echo(f"left out: {letter.place}: {state(letter)}", err=True)
    if len(broken) > _TOLD:
        typer.echo(f"left out: {len(broken) - _TOLD} more that are incomplete", err=True)
    out = {it.place for it in (*before, *lossy, *broken)}
    return [it for it in found if it.place not in out][:limit]


async def _require_targets(settings: Settings, letters: Sequence[Letter], to: str | None) -> None:
    targets = {to} if to else {it.place.topic for it in letters}
    states = await topic_states(settings.kafka, targets)
    for missing in sorted(targets - states.keys()):
        raise TopicMissing(
            f"topic {missing!r} does not exist; --to names another, such as "
            f"--to {settings.topics.events}"
        )
    beyond = (
        []
        if to
        else [it for it in letters if it.place.partition >= states[it.place.topic].partitions]
    )
    if beyond:
        raise TopicMissing(
            f"{beyond[0].place}: its topic has no such partition any more; "
            f"--to {beyond[0].place.topic} puts it back by its key"
        )


def _tell_plan(
    settings: Settings, letters: Sequence[Letter], to: str | None, *, as_json: bool = False
) -> None:
    if as_json:
        for letter in letters:
            typer.echo(orjson.dumps(as_fields(letter)).decode())
        return
    for (target, reason), count in sorted(
        Counter((to or it.place.topic, it.reason) for it in letters).items()
    ):
        typer.echo(f"{counted(count)} for {plain(reason)} to {target}")
    others = {to or it.place.topic for it in letters} - {settings.topics.events}
    if others:
        typer.echo(
            f"note: workers with these settings read {settings.topics.events} and not "
            f"{', '.join(sorted(others))}; --to {settings.topics.events} puts them there",
            err=True,
        )


async def _put_back(
    settings: Settings, catalogue: Catalogue, letters: Sequence[Letter], to: str | None
) -> PutBack:
    topic = settings.topics.dead_letters
    stop = asyncio.Event()
    asyncio.get_running_loop().set_exception_handler(_unless_left)
    with on_signals(stop.set), progress(f"putting back {counted(len(letters))}") as told:
        return await LetterReplay(
            KafkaLetterLog(settings.kafka, topic),
            lambda: replay_producer(settings.kafka, topic),
            catalogue,
            topic=topic,
            to=to,
            source="/afterguard/dead-letters",
            stop=stop.is_set,
            show=lambda done: told(done.replayed, len(letters)),
        ).run(letters)


def _unless_left(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # A producer that is fenced leaves futures behind that nobody can read; the call that met the
    # fence tells of it.
    if context.get("future") is None:
        loop.default_exception_handler(context)


def _tell(done: PutBack, chosen: int) -> None:
    left = chosen - done.replayed - done.elsewhere - done.gone - len(done.refused)
    typer.echo(f"{done.replayed} of {counted(chosen)} put back")
    for count, what in (
        (done.elsewhere, "put back by somebody else meanwhile"),
        (done.gone, "deleted from the topic meanwhile"),
        (len(done.refused), "refused by the broker"),
        (left, "left as they were; the same command goes on with them"),
    ):
        if count:
            typer.echo(f"{count} {what}")
    for letter in done.refused[:_TOLD]:
        typer.echo(f"refused: {letter.place}, {letter.size} bytes", err=True)
    if done.fault is not None:
        typer.secho(str(done.fault), err=True, fg=typer.colors.RED)
        raise typer.Exit(exit_code(done.fault))
    if done.stopped:
        raise typer.Exit(_INTERRUPTED)
    if done.gone or done.refused:
        raise typer.Exit(_AMISS)
