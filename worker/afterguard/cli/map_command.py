"""`afterguard map`: what a sample of records becomes under `input.map`, and which field failed."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from time import time
from typing import Final

import typer
from pydantic_core import to_json
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG, FORMAT, settings_of
from afterguard.contracts.codec import decode_event
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import MappingError, RejectedInput, RejectReason
from afterguard.contracts.records import InputRecord
from afterguard.row_files import Row, RowFile, RowFormat
from afterguard.settings import Settings
from afterguard.stream.mapping import Attempt, EventMap
from afterguard.stream.mapping_fields import FIELDS

_FAILED: Final = 1
_SHOWN_CHARACTERS: Final = 140
_WIDE: Final = 120


@dataclass(frozen=True, slots=True)
class Tried:
    """One record of the sample and what became of it."""

    line: int
    attempt: Attempt


def map_command(
    file: str = typer.Option(
        ..., "--try", metavar="FILE", help="A sample: JSONL, JSON array or CSV, .gz too; - stdin."
    ),
    config: Path | None = CONFIG,
    limit: int | None = typer.Option(None, min=1, help="Records at most."),
    row_format: RowFormat | None = FORMAT,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object a record."),
) -> None:
    """Show what sample records become under `input.map`, and which field failed, with the reason.

    Needs no broker. Exits 1 when any record is no event.

    Example:  afterguard map --try sample.jsonl --config afterguard.yaml
    """
    with told_plainly():
        settings = settings_of(config)
        attempt = _reader(settings)
        if not as_json and not settings.input.map:
            typer.echo("input.map is empty: the records are read as chat events of our own shape")
        with RowFile(file, row_format) as rows:
            tried = (Tried(row.line, attempt(row)) for row in islice(rows, limit))
            failures = _tell_as_json(tried) if as_json else _tell(tried)
    if failures:
        raise typer.Exit(_FAILED)


def _reader(settings: Settings) -> Callable[[Row], Attempt]:
    limit = settings.input.max_event_bytes
    event_map = EventMap.compile(settings.input.map) if settings.input.map else None

    def attempt(row: Row) -> Attempt:
        if row.value is None:
            return Attempt({}, (RejectedInput(RejectReason.NOT_JSON, row.fault),), None)
        place = Coordinates("sample", 0, row.line)
        record = InputRecord(place, None, row.value, timestamp_ms=int(time() * 1_000))
        if event_map is not None:
            return event_map.attempt(record, limit)
        try:
            event = decode_event(record, max_bytes=limit)
        except RejectedInput as fault:
            return Attempt({}, (fault,), None)
        return Attempt(event.model_dump(exclude_unset=True), (), event)

    return attempt


def _tell_as_json(tried: Iterable[Tried]) -> int:
    failed = 0
    for one in tried:
        typer.echo(to_json(_as_dict(one)).decode())
        failed += bool(one.attempt.faults)
    return failed


def _tell(tried: Iterable[Tried]) -> int:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    records = failed = 0
    failures: Counter[str] = Counter()
    for one in tried:
        console.print(_table(one))
        records += 1
        failed += bool(one.attempt.faults)
        failures.update(_place(fault) or fault.reason.value for fault in one.attempt.faults)
    console.print(f"{records - failed} of {records} records become events")
    for name, count in failures.most_common():
        console.print(f"  {name} failed in {count}")
    return failed


def _place(fault: RejectedInput) -> str | None:
    return fault.field if isinstance(fault, MappingError) else None


def _table(one: Tried) -> Table:
    failed = bool(one.attempt.faults)
    table = Table(
        title=f"record {one.line}: {'no event' if failed else 'event'}",
        title_justify="left",
        title_style="bold red" if failed else "bold green",
        box=None,
        show_header=False,
    )
    table.add_column("field", style="bold", no_wrap=True)
    table.add_column("becomes", overflow="fold")
    for name, value in _fields(one.attempt):
        table.add_row(name, _shown(value))
    for fault in one.attempt.faults:
        field = _place(fault) or "event"
        told = fault.detail.removeprefix(f"{field}: ")
        table.add_row(f"[red]{field}", f"[red]{escape(f'{fault.reason.value}: {told}')}")
    return table


def _fields(attempt: Attempt) -> list[tuple[str, object]]:
    flat: dict[str, object] = {}
    for name, value in attempt.fields.items() if attempt.event is None else attempt.event:
        if name == "author":
            parts = value if isinstance(value, dict) else dict(value)
            flat |= {f"author.{part}": inner for part, inner in parts.items()}
        elif value is not None:
            flat[name] = value
    return [(name, flat[name]) for name in FIELDS if name in flat]


def _shown(value: object) -> str:
    match value:
        case str():
            text = value.replace("\n", "⏎")
        case datetime():
            text = value.isoformat()
        case _:
            text = to_json(value, inf_nan_mode="null").decode()
    if len(text) > _SHOWN_CHARACTERS:
        text = f"{text[:_SHOWN_CHARACTERS]}… ({len(text)} characters)"
    # A sample is hostile content too: no markup and no control codes reach the terminal.
    return escape("".join(char if char.isprintable() else "�" for char in text))


def _as_dict(one: Tried) -> dict[str, object]:
    attempt = one.attempt
    return {
        "line": one.line,
        "event": attempt.event,
        "faults": [
            {
                "field": _place(fault),
                "reason": fault.reason.value,
                "detail": fault.detail,
            }
            for fault in attempt.faults
        ],
    }
