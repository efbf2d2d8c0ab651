"""Dead letters as a person or a program reads them; nothing here shows content."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from afterguard.contracts.replays import Origin
from afterguard.stream.dead_letters import Catalogue, Letter

_WIDE: Final = 200
_SHOWN: Final = 120


class Told(Protocol):
    """Is told how far a reading has come."""

    def __call__(self, read: int, of: int) -> None:
        """So many offsets, of so many."""
        ...


@contextmanager
def progress(what: str) -> Iterator[Told]:
    """A bar on stderr, while somebody looks."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda read, of: bar.update(task, completed=read, total=of)


def plain(text: str, most: int = _SHOWN) -> str:
    """Text that may be hostile, for a terminal: no control codes, no markup, not without end."""
    return escape(printable(text, most))


def printable(text: str, most: int = _SHOWN) -> str:
    """The same where no markup is read."""
    clean = "".join(char if char.isprintable() else "�" for char in text)
    return clean if len(clean) <= most else f"{clean[:most]}…"


def counted(letters: int) -> str:
    """So many letters, in words."""
    return f"{letters} letter" if letters == 1 else f"{letters} letters"


def state(letter: Letter) -> str:
    """What of a letter is there, in a few words."""
    if not letter.whole:
        return f"incomplete: {len(letter.found)} of {letter.parts} parts"
    if letter.left_out:
        return "without key and header values"
    return "whole" if letter.parts == 1 else f"whole, {letter.parts} parts"


def replayed(letter: Letter) -> str:
    """How often it was put back, and whether it comes from a replay itself."""
    times = (
        "no" if not letter.replays else "yes" if letter.replays == 1 else f"{letter.replays} times"
    )
    origin = letter.origin
    return f"{times}; is replay {origin.replay} of {origin.coordinates}" if origin.replay else times


def print_table(letters: Sequence[Letter]) -> None:
    """One line for each letter."""
    table = Table(
        *("record", "written", "outcome", "reason", "attempts", "bytes", "state", "replayed"),
        "event id",
        box=None,
    )
    for it in letters:
        table.add_row(
            str(it.place),
            it.recorded_at.strftime("%Y-%m-%d %H:%M:%S"),
            it.outcome.value,
            plain(it.reason, 40),
            str(it.attempts),
            "-" if it.size is None else str(it.size),
            state(it),
            replayed(it),
            plain(it.event_id or "-", 40),
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE  # a pipe has no width; what is pasted elsewhere must not be cut
    console.print(table)


def print_summary(letters: Sequence[Letter], catalogue: Catalogue, *, shown: int) -> None:
    """How many there are, and what is odd about them; on stderr, so that a pipe stays clean."""
    some = counted(len(letters)) + (f", {shown} shown" if shown < len(letters) else "")
    told = [some]
    if incomplete := sum(not it.whole for it in letters):
        told.append(f"{incomplete} incomplete")
    if before := sum(it.replays > 0 for it in letters):
        told.append(f"{before} replayed")
    if catalogue.foreign:
        told.append(f"other records on the topic: {catalogue.foreign}")
    typer.echo("; ".join(told), err=True)


def as_fields(letter: Letter) -> dict[str, Any]:
    """A letter for programs; no content."""
    origin: Origin | None = letter.origin if letter.origin.replay else None
    return {
        "dead_letter_id": letter.letter_id,
        "topic": letter.place.topic,
        "partition": letter.place.partition,
        "offset": letter.place.offset,
        "outcome": letter.outcome,
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "event_id": letter.event_id,
        "recorded_at": letter.recorded_at,
        "original_size": letter.size or 0,
        "tombstone": letter.size is None,
        "parts": letter.parts,
        "parts_found": len(letter.found),
        "whole": letter.whole,
        "left_out": letter.left_out,
        "replays": letter.replays,
        "origin": str(origin.coordinates) if origin else None,
        "replay": letter.origin.replay,
    }
