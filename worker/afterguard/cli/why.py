"""`afterguard why`: asks a running worker which record holds each commit back."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG, settings_of
from afterguard.cli.running_worker import URL, Unanswered, ask_worker
from afterguard.health.why_report import PartitionReport, Room, WhyReport

_STUCK: Final = 3
_WIDE: Final = 200
_COMMIT_LATE_S: Final = 10.0

_ROOMS: Final = {
    Room.LANE: "waits in its lane for the engine: the engine is full; add workers",
    Room.JUDGE: "is at the engine, or waits there to be tried again: see tries, judge_faults",
    Room.ORDER: "is judged; its intervention waits for an earlier event of its conversation",
    Room.PUBLISH: "is judged; its records wait to be written: the broker is slow or away",
    Room.ACKNOWLEDGEMENT: "is written; the broker has not acknowledged it: look at the broker",
    Room.COMMIT: "is settled; the commit itself is late: look at the broker and the worker's log",
    Room.NOWHERE: "is in no room: a defect; restart the worker and report it with the log",
}
_HOLDS: Final = {
    "budget": "the budget is used up; it goes on when events settle",
    "flood": "dead letters of one cause come in a flood; see /readyz and `afterguard resume`",
    "rebalance": "partitions are about to go",
    "closing": "the worker drains",
}


def why_command(
    partition: int | None = typer.Option(
        None, "--partition", "-p", min=0, help="Of this one alone; all of the worker when absent."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print the worker's answer as it is."),
    url: str | None = URL,
    config: Path | None = CONFIG,
) -> None:
    """Say which record holds each partition's commit back, in which room, since when.

    Asks the worker that runs on this machine; it answers nobody else. In Kubernetes:
    `kubectl exec POD -- afterguard why`. Only coordinates are told, never the text of a message:
    read the record at topic, partition and offset to see it.

    lane: waits for the engine. judge: at the engine. order: waits for an earlier event of its
    conversation. publish: waits to be written. acknowledgement: the broker has not confirmed it.
    commit: everything is settled, and the offset is not committed yet.

    Exits 3 when a partition is stuck: its oldest record has held for `delivery.stuck_after_s`.

    Example:  afterguard why --partition 3
    """
    with told_plainly():
        settings = settings_of(config)
        asked = {} if partition is None else {"partition": str(partition)}
        report = _read(ask_worker("GET", "/why", asked, http=settings.http, url=url))
    if as_json:
        typer.echo(report.model_dump_json())
    else:
        _show(report)
    if any(it.stuck for it in report.partitions):
        raise typer.Exit(_STUCK)


def _read(answer: object) -> WhyReport:
    try:
        return WhyReport.model_validate(answer)
    except ValidationError:
        raise Unanswered(
            "the worker's answer is not understood here; ask with the version that the worker has"
        ) from None


def _show(report: WhyReport) -> None:
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE  # a pipe has no width; names must not be cut
    for line in _worker(report):
        console.print(line, highlight=False)
    if not report.partitions:
        console.print("no partition is assigned to this worker at the moment", highlight=False)
        return
    table = Table(
        *("partition", "committed", "held by", "room", "in room", "age", "tries", "lane"),
        *("in flight", "settled behind", "not taken in"),
        box=None,
    )
    for it in report.partitions:
        table.add_row(*_row(it))
    console.print(table)
    for it in report.partitions:
        if it.oldest is not None and it.stuck:
            told = f"{it.topic}/{it.partition}/{it.oldest.offset} {_ROOMS[it.oldest.room]}"
            console.print(f"STUCK for {_time(it.oldest.still_s)}: {told}", highlight=False)
        if it.uncommitted_s is not None and it.uncommitted_s >= _COMMIT_LATE_S:
            late = f"{it.topic}/{it.partition}: committed {it.committed} and not {it.position}"
            console.print(f"{late}: late for {_time(it.uncommitted_s)}", highlight=False)


def _worker(report: WhyReport) -> Iterator[str]:
    if not report.started:
        yield "the worker is starting"
    if report.draining:
        yield "the worker drains"
    for hold in report.intake_held:
        yield f"nothing is taken in: {_HOLDS.get(hold, hold)}"
    yield (
        f"in flight: {report.events} of {report.event_limit} events, "
        f"{report.tokens} of {report.token_limit} tokens"
    )


def _row(it: PartitionReport) -> tuple[str, ...]:
    committed = "-" if it.committed is None else str(it.committed)
    return (f"{it.topic}/{it.partition}", committed, *_holder(it), *_counts(it))


def _holder(it: PartitionReport) -> tuple[str, ...]:
    oldest = it.oldest
    if oldest is not None:
        return (
            str(oldest.offset),
            oldest.room.value,
            _time(oldest.in_room_s),
            _time(oldest.age_s),
            str(oldest.attempts),
            oldest.lane.value if oldest.lane else "-",
        )
    if it.uncommitted_s is not None:
        return ("-", Room.COMMIT.value, _time(it.uncommitted_s), "-", "-", "-")
    return ("nothing", "-", "-", "-", "-", "-")


def _counts(it: PartitionReport) -> tuple[str, str, str]:
    rooms = " ".join(f"{room.value} {count}" for room, count in it.rooms.items())
    in_flight = f"{it.in_flight} ({rooms})" if rooms else str(it.in_flight)
    return in_flight, str(it.settled_behind), "?" if it.lag is None else str(it.lag)


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"
