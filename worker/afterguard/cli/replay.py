"""`afterguard replay`: send a file of messages into the input topic."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, FORMAT, settings_of
from afterguard.cli.replay_rows import RowEvents
from afterguard.cli.replay_run import Replayed, replay
from afterguard.contracts.errors import SettingsError, TopicMissing
from afterguard.row_files import RowFile, RowFormat
from afterguard.settings import Settings
from afterguard.stream.kafka.admin import missing_topics
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.mapping_fields import LONG_FORM

_BAD_ROWS: Final = 1
_INTERRUPTED: Final = 130


def replay_command(
    file: str = typer.Argument(help="JSONL, CSV, TSV, JSON array or text; .gz too; - for stdin."),
    config: Path | None = CONFIG,
    text: str | None = typer.Option(
        None, "--text", "--text-field", metavar="PATH", help="JMESPath of the text: `body`."
    ),
    row_id: str | None = typer.Option(
        None,
        "--id",
        "--id-field",
        metavar="PATH",
        help="JMESPath of a stable id; made from the row when absent.",
    ),
    maps: list[str] = typer.Option(
        [],
        "--map",
        metavar="FIELD=PATH",
        help="One more field, over `input.map` of the settings: `tenant=guild.name`, "
        '`kind=\'completion\'`, or in long form `occurred_at={"path": "ts", "unit": "s"}`. '
        "May be repeated.",
    ),
    row_format: RowFormat | None = FORMAT,
    topic: str | None = typer.Option(None, metavar="NAME", help="Instead of `topics.events`."),
    bootstrap: str | None = BOOTSTRAP,
    rate: float | None = typer.Option(None, min=0.001, help="Events per second at most."),
    limit: int | None = typer.Option(None, min=1, help="Rows at most."),
    skip_bad: bool = typer.Option(False, "--skip-bad", help="Exit 0 in spite of bad rows."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Read and map; send nothing."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object last."),
) -> None:
    """Send a file of messages into the input topic.

    Without --text, --id, --map and `input.map` the rows have the fields of a chat event, of which
    only `content` must be there. What else is missing is filled in: an id made of the row, the
    time of the replay, a user called `replay`, and a conversation of its own for each row.

    A second replay of a file has the same event ids, so that the worker recognises it. Rows that
    are no events are told with their line, and not sent; then the exit code is 1.

    Example:  afterguard replay messages.csv --text body --id message_id
    """
    with told_plainly():
        settings = settings_of(config, bootstrap)
        event_map = settings.input.map | _map_of(text, row_id, maps)
        events = RowEvents(event_map, max_bytes=settings.input.max_event_bytes)

        async def work(rows: RowFile) -> Replayed:
            into = topic or settings.topics.events
            async with _sends(settings, into, dry_run=dry_run) as sends:
                with _progress(rows) as show:
                    return await replay(
                        rows, events, sends, topic=into, rate=rate, limit=limit, show=show
                    )

        with RowFile(file, row_format) as rows:
            told = asyncio.run(work(rows))
        _report(told, dry_run=dry_run)
        if told.bad and not told.sent and not event_map:
            typer.echo("name the text with --text, such as --text body, or write an input.map")
        if as_json:
            typer.echo(orjson.dumps(_as_dict(told)).decode())
        if told.fault is not None:
            raise told.fault
    if told.stopped:
        raise typer.Exit(_INTERRUPTED)
    if told.bad and not skip_bad:
        raise typer.Exit(_BAD_ROWS)


def _map_of(text: str | None, row_id: str | None, maps: list[str]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for entry in maps:
        name, _, path = entry.partition("=")
        if not (name and path):
            raise SettingsError([f"--map {entry}: must be FIELD=PATH, such as author.id=user"])
        entries[name] = _long_form(path) or path
    short = {"content": text, "event_id": row_id}
    return entries | {name: path for name, path in short.items() if path is not None}


def _long_form(path: str) -> dict[str, Any] | None:
    # A JMESPath may be a JSON object, too; but not one with the keys of a long form alone.
    try:
        entry = orjson.loads(path)
    except orjson.JSONDecodeError:
        return None
    return entry if isinstance(entry, dict) and entry.keys() <= LONG_FORM else None


@asynccontextmanager
async def _sends(
    settings: Settings, topic: str, *, dry_run: bool
) -> AsyncIterator[AcknowledgedSends | None]:
    if dry_run:
        yield None
        return
    if await missing_topics(settings.kafka, [topic]):
        raise TopicMissing(f"topic missing: {topic}; `afterguard topics create` makes it")
    producer = KafkaProducer(settings.kafka)
    try:
        await producer.start()
        yield AcknowledgedSends(producer, patience_s=settings.kafka.request_timeout_ms / 1_000)
    finally:
        await producer.stop()


@contextmanager
def _progress(rows: RowFile) -> Iterator[Callable[[Replayed], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _: None
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[sent]:,} sent, {task.fields[bad]:,} bad"),
        TextColumn("{task.fields[rate]:,.0f}/s"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        task = progress.add_task(f"replay {rows.name}", total=rows.size, sent=0, bad=0, rate=0.0)

        def show(told: Replayed) -> None:
            elapsed = progress.tasks[0].elapsed or 0.0
            progress.update(
                task,
                completed=rows.position,
                sent=told.acknowledged or told.sent,
                bad=told.bad.total(),
                rate=told.sent / elapsed if elapsed else 0.0,
            )

        yield show


def _report(told: Replayed, *, dry_run: bool) -> None:
    for bad in told.bad_rows:
        typer.secho(f"line {bad.line}: {bad.reason}: {bad.detail}", err=True, fg="yellow")
    if (more := told.bad.total() - len(told.bad_rows)) > 0:
        typer.secho(f"and {more:,} more bad rows", err=True, fg="yellow")
    if not told.rows and not told.stopped and told.fault is None:
        typer.echo("there are no rows")
    elif dry_run:
        typer.echo(f"dry run: {told.sent:,} of {told.rows:,} rows would be sent")
    else:
        rate = told.acknowledged / told.seconds if told.seconds else 0.0
        typer.echo(
            f"{told.acknowledged:,} of {told.rows:,} rows sent and acknowledged in "
            f"{told.seconds:.1f} s ({rate:,.0f} a second)"
        )
        if told.acknowledged < told.sent:
            typer.echo(f"{told.sent - told.acknowledged:,} events sent but not acknowledged")
    if told.stopped:
        typer.echo(
            "stopped by a signal" + ("" if dry_run else "; what was acknowledged stays sent")
        )
    if told.bad:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in told.bad.most_common())
        typer.echo(f"{told.bad.total():,} bad rows not sent: {reasons}")
    if told.ids_made:
        typer.echo(f"{told.ids_made:,} event ids made from the rows; a second replay repeats them")
    if told.times_made:
        typer.echo(f"{told.times_made:,} events carry the time of this replay as occurred_at")


def _as_dict(told: Replayed) -> dict[str, object]:
    return {
        "rows": told.rows,
        "sent": told.sent,
        "acknowledged": told.acknowledged,
        "bad": dict(told.bad),
        "ids_made": told.ids_made,
        "times_made": told.times_made,
        "seconds": round(told.seconds, 3),
        "stopped": told.stopped,
    }
