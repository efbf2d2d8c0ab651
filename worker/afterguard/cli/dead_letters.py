"""`afterguard dead-letters`: what could not be judged, and putting it back."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import typer
from rich.console import Console

from afterguard.cli import dead_letters_filters as by
from afterguard.cli.dead_letters_replay import replay_command
from afterguard.cli.dead_letters_told import (
    as_fields,
    plain,
    print_summary,
    print_table,
    progress,
    replayed,
    state,
)
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, settings_of
from afterguard.contracts.coordinates import Coordinates, dead_letter_id
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.words import Outcome
from afterguard.flow.admit import utc_now
from afterguard.settings import Settings
from afterguard.stream.dead_letters import Catalogue, Contents, Letter, Original, place_of
from afterguard.stream.kafka.letter_log import KafkaLetterLog

dead_letters_app = typer.Typer(
    no_args_is_help=True, help="List, show and replay what could not be judged."
)
dead_letters_app.command("replay")(replay_command)

_AMISS: Final = 1
_STDOUT: Final = "-"


@dead_letters_app.command("list")
def list_command(
    reason: list[str] = by.REASON,
    outcome: Outcome | None = by.OUTCOME,
    topic: str | None = by.TOPIC,
    partition: int | None = by.PARTITION,
    offset: int | None = by.OFFSET,
    since: str | None = by.SINCE,
    until: str | None = by.UNTIL,
    event_id: list[str] = by.EVENT_ID,
    limit: int | None = typer.Option(None, "--limit", min=1, help="Show so many of the newest."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object a letter."),
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
) -> None:
    """List dead letters: which record, why, how often it was tried, whether it was replayed.

    Reads the topic through, and commits nothing. Never prints content. A record that was too large
    for one letter is one line; it is `incomplete` when a part is missing.

    Example:  afterguard dead-letters list --reason not_json --since 2h

    Reasons and how many:  afterguard dead-letters list --json | jq -r .reason | sort | uniq -c
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
        catalogue = read_catalogue(settings, filters.choose)
    letters = sorted(catalogue.letters(), key=lambda it: (it.recorded_at, it.place))
    shown = letters[-limit:] if limit is not None else letters
    if as_json:
        for letter in shown:
            typer.echo(orjson.dumps(as_fields(letter)).decode())
    elif shown:
        print_table(shown)
    print_summary(letters, catalogue, shown=len(shown))


@dead_letters_app.command("show")
def show_command(
    letter: str = typer.Argument(
        metavar="LETTER", help="topic/partition/offset of the record, or the id of the letter."
    ),
    content: bool = typer.Option(
        False, "--content", help="Print the original value, too: what people wrote."
    ),
    out: str | None = typer.Option(
        None, "--out", metavar="FILE", help="Write the original value, byte for byte; - is stdout."
    ),
    as_json: bool = typer.Option(
        False, "--json", help="One JSON object; with --content it holds the whole letter."
    ),
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
) -> None:
    """Show one dead letter; its content only when asked to.

    Exits 1 when there is no such letter, or when content is asked for and a part is missing.

    Example:  afterguard dead-letters show chat.events/3/42 --content
    """
    with told_plainly():
        settings = settings_of(config, bootstrap)
        catalogue = read_catalogue(settings, _names(letter))
        found = catalogue.letters()
        if not found:
            typer.echo(f"no dead letter {letter!r} in {settings.topics.dead_letters}", err=True)
            raise typer.Exit(_AMISS)
        one = found[0]
        original = _original(settings, one) if content or out else None
    if out is not None and original is not None:
        _write(out, original.value or b"")
    if as_json:
        more = _content_fields(original) if content and original else {}
        typer.echo(orjson.dumps(as_fields(one) | more).decode())
    elif out != _STDOUT:
        _tell(one, original if content else None)
    if original is None and (content or out):
        typer.echo(f"{one.place}: {state(one)}; there is no whole content", err=True)
        raise typer.Exit(_AMISS)


def read_catalogue(settings: Settings, wanted: Callable[[DeadLetter], bool]) -> Catalogue:
    """The letters of the topic that are wanted, with a bar while it is read.

    Raises:
        TopicMissing: There is no such topic.
        StreamUnavailable: The broker does not answer.
    """
    catalogue = Catalogue(wanted)
    topic = settings.topics.dead_letters
    with progress(f"reading {topic}") as told:
        log = KafkaLetterLog(settings.kafka, topic, told)
        asyncio.run(log.scan(catalogue.take))
    return catalogue


def _names(text: str) -> Callable[[DeadLetter], bool]:
    place = place_of(text)
    if place is not None:
        return lambda it: (it.topic, it.partition, it.offset) == place
    wanted = text.strip().lower()
    return lambda it: (
        str(dead_letter_id(Coordinates(it.topic, it.partition, it.offset))) == wanted
        or str(it.dead_letter_id) == wanted
    )


def _original(settings: Settings, letter: Letter) -> Original | None:
    if not letter.whole:
        return None
    contents = Contents([letter])
    log = KafkaLetterLog(settings.kafka, settings.topics.dead_letters)
    asyncio.run(log.fetch(contents.take, contents.between))
    originals = contents.originals()
    return originals[0] if originals else None


def _write(out: str, value: bytes) -> None:
    if out == _STDOUT:
        sys.stdout.buffer.write(value)
        sys.stdout.buffer.flush()
        return
    try:
        Path(out).write_bytes(value)
    except OSError as error:
        typer.echo(f"{out}: cannot be written: {error.strerror}", err=True)
        raise typer.Exit(_AMISS) from None


def _content_fields(original: Original) -> dict[str, Any]:
    letter = original.letter
    whole = DeadLetter(
        dead_letter_id=letter.letter_id,
        topic=letter.place.topic,
        partition=letter.place.partition,
        offset=letter.place.offset,
        outcome=letter.outcome,
        reason=letter.reason,
        detail=letter.detail,
        attempts=letter.attempts,
        key=original.key,
        value=original.value,
        headers=list(original.headers),
        original_size=letter.size or 0,
        recorded_at=letter.recorded_at,
    )
    return whole.model_dump(mode="json", include={"key", "value", "headers"})


def _tell(letter: Letter, original: Original | None) -> None:
    console = Console(highlight=False, soft_wrap=True)
    size = "none: a tombstone" if letter.size is None else f"{letter.size} bytes"
    for name, told in {
        "record": str(letter.place),
        "letter id": str(letter.letter_id),
        "written": letter.recorded_at.isoformat(),
        "outcome": letter.outcome.value,
        "reason": plain(letter.reason),
        "detail": plain(letter.detail, 600),
        "attempts": str(letter.attempts),
        "event id": plain(letter.event_id or "-", 300),
        "value": size,
        "state": state(letter),
        "replayed": replayed(letter),
    }.items():
        console.print(f"{name:<10} {told}")
    if original is None:
        return
    console.print("headers    " + (", ".join(plain(name) for name, _ in original.headers) or "-"))
    key = "-" if original.key is None else plain(original.key.decode("utf-8", "replace"))
    console.print(f"key        {key}")
    value = (original.value or b"").decode("utf-8", "replace")
    console.print("content")
    for line in value.splitlines():
        console.print(f"  {plain(line, len(line))}")
