"""`afterguard offsets`: where the group stands, and where it shall go on."""

import asyncio
from pathlib import Path
from typing import Final

import orjson
import typer
from rich.table import Table

from afterguard.cli.dead_letters_filters import moment
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, settings_of
from afterguard.cli.wide_console import wide_console
from afterguard.flow.admit import utc_now
from afterguard.stream.kafka.group_offsets import (
    GroupPosition,
    Place,
    group_positions,
    move_group,
)

offsets_app = typer.Typer(
    no_args_is_help=True,
    help="Say where the workers' group stands in the input, or have it go on somewhere else.",
)

_AMISS: Final = 1
_WIDE: Final = 120
_GROUP = typer.Option(None, "--group", metavar="NAME", help="Instead of `kafka.group_id`.")
_JSON = typer.Option(False, "--json", help="Print one JSON object a partition.")


@offsets_app.command("show")
def show_command(
    group: str | None = _GROUP,
    as_json: bool = _JSON,
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
) -> None:
    """Say what the group has committed of each partition, and how far that is from the end.

    Joins no group. `lag` counts what is not settled, whether or not a worker has taken it in.

    Example:  afterguard offsets show --config afterguard.yaml
    """
    with told_plainly():
        settings = settings_of(config, bootstrap)
        kafka = settings.kafka.model_copy(update={"group_id": group or settings.kafka.group_id})
        found = asyncio.run(group_positions(kafka, settings.topics.events))
    if as_json:
        for it in found:
            row = {"partition": it.partition, "committed": it.committed, "end": it.end}
            typer.echo(orjson.dumps({**row, "lag": it.lag}).decode())
        return
    table = Table("partition", "first", "committed", "end", "lag", box=None)
    for it in found:
        committed = "-" if it.committed is None else str(it.committed)
        table.add_row(str(it.partition), str(it.first), committed, str(it.end), str(it.lag))
    _print(table)
    typer.echo(f"group {kafka.group_id}: lag {sum(it.lag for it in found):,}")


@offsets_app.command("set")
def set_command(
    to: str = typer.Option(
        ...,
        "--to",
        metavar="PLACE",
        help="`beginning`, `end`, a time such as 2026-03-01T18:30:00Z, or so long ago: 30m, 12h.",
    ),
    partition: int | None = typer.Option(None, min=0, help="This one alone; all when absent."),
    group: str | None = _GROUP,
    pass_over: bool = typer.Option(
        False, "--pass-over", help="Also where events would be passed over and never judged."
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Say what would be done; do nothing."),
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask."),
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
) -> None:
    """Have the group go on somewhere else, while none of its workers runs.

    Backwards, events are judged again: under the same policy version their verdicts have the same
    ids. Forwards, events are never judged: that needs --pass-over. A group that is new begins at
    the beginning of the topic; to begin at the end, set it there before the first start.

    Exits 81 while a worker of the group runs, 1 when events would be passed over.

    Example:  afterguard offsets set --to 2h --dry-run
    """
    with told_plainly():
        place = Place(to) if to in list(Place) else moment(to, "--to", utc_now)
        settings = settings_of(config, bootstrap)
        kafka = settings.kafka.model_copy(update={"group_id": group or settings.kafka.group_id})
        topic = settings.topics.events
        found = asyncio.run(group_positions(kafka, topic, place))
        chosen = [it for it in found if partition in {None, it.partition}]
        if not chosen:
            raise typer.BadParameter(f"{topic} has no partition {partition}")
        _tell_plan(chosen)
        lost = sum(it.passed_over for it in chosen)
        if lost and not pass_over:
            typer.echo(f"{lost:,} events would never be judged; --pass-over says so", err=True)
            raise typer.Exit(_AMISS)
        if dry_run:
            return
        if not yes:
            typer.confirm(f"Have group {kafka.group_id} go on there?", abort=True)
        wanted = {it.partition: it.wanted for it in chosen if it.wanted is not None}
        asyncio.run(move_group(kafka, topic, wanted))
    typer.echo(f"group {kafka.group_id} goes on there")


def _tell_plan(chosen: list[GroupPosition]) -> None:
    table = Table("partition", "committed", "goes on at", "judged again", "passed over", box=None)
    for it in chosen:
        committed = "-" if it.committed is None else str(it.committed)
        table.add_row(
            str(it.partition), committed, str(it.wanted), f"{it.again:,}", f"{it.passed_over:,}"
        )
    _print(table)


def _print(table: Table) -> None:
    wide_console(_WIDE).print(table)
