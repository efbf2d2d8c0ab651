"""`afterguard policies compare`: where two versions differ on the events that both judged."""

import asyncio
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import orjson
import typer
from pydantic import ValidationError

from afterguard.cli import dead_letters_filters as by
from afterguard.cli.dead_letters_told import progress
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, settings_of
from afterguard.cli.policies_compare_told import Example, as_fields, tell
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import RejectedInput
from afterguard.contracts.records import InputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.evaluation.verdict_pairs import (
    Found,
    NotJudged,
    VerdictPairs,
    Wanted,
)
from afterguard.flow.admit import utc_now
from afterguard.flow.agreement import Agreement, agreement
from afterguard.policy.prompt import content_for
from afterguard.settings import Settings
from afterguard.stream.kafka.lookup import look_up
from afterguard.stream.kafka.reader import scan_topic

_AMISS: Final = 1
_GONE: Final = "(its record is gone)"
_VERSION: Final = re.compile(r"^([a-z][a-z0-9-]{1,63})(?:@([0-9a-f]{1,16}))?$")


class Differing(StrEnum):
    """How the second version may differ from the first."""

    STRICTER = Agreement.STRICTER.value
    LAXER = Agreement.LAXER.value
    UNCLEAR = Agreement.UNCLEAR.value


def compare_command(
    one: str = typer.Argument(
        metavar="A", help="ID@VERSION, or ID for its version in force; the version may be cut."
    ),
    other: str | None = typer.Argument(
        None, metavar="B", help="ID@VERSION; the version on trial of A when it is left out."
    ),
    since: str | None = by.SINCE,
    limit: int = typer.Option(10, "--limit", min=0, help="Show so many differing events."),
    only: list[Differing] = typer.Option(
        [], "--only", help="Show these alone: what B makes of an event. May be given again."
    ),
    rationale: bool = typer.Option(
        False, "--rationale", help="Print the model's reasoning, too; it may quote the event."
    ),
    text: bool = typer.Option(
        False, "--text", help="Print the events, too: what people wrote, from the events topic."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
) -> None:
    """Show where two versions differ on the events that both judged.

    Reads the audit topic through, and commits nothing. Events are paired when both versions have a
    verdict on them, as the version in force and the one on trial do. Neither texts nor reasoning
    are printed unless asked for. Exits 1 when nothing pairs.

    Example:  afterguard policies compare harassment --since 2h

    Two versions by name:  afterguard policies compare hate@3fa4 hate@91bc --only laxer --text
    """
    first, second = _wanted(one), _wanted(other) if other is not None else None
    moment = by.moment(since, "--since", utc_now)
    with told_plainly():
        settings = settings_of(config, bootstrap)
        pairs = VerdictPairs([it.policy_id for it in (first, second) if it], since=moment)
        unreadable = _read(settings, pairs)
        try:
            found = pairs.compare(first, second)
        except NotJudged as missing:
            typer.echo(str(missing), err=True)
            raise typer.Exit(_AMISS) from None
        kinds = {Agreement(it.value) for it in only}
        chosen = [it for it in found.differing if not kinds or agreement(*it) in kinds][:limit]
        examples = asyncio.run(_examples(settings, chosen, rationale=rationale, text=text))
    if as_json:
        typer.echo(orjson.dumps(as_fields(found, examples, unreadable)).decode())
    else:
        tell(found, examples, unreadable)
    if not found.pairs:
        raise typer.Exit(_AMISS)


def _wanted(name: str) -> Wanted:
    match = _VERSION.match(name)
    if match is None:
        raise typer.BadParameter(f"{name!r} is neither ID nor ID@VERSION")
    return Wanted(match[1], match[2])


def _read(settings: Settings, pairs: VerdictPairs) -> int:
    unreadable = 0

    def take(record: InputRecord) -> None:
        nonlocal unreadable
        try:
            verdict = AuditRecord.model_validate_json(record.value or b"")
        except ValidationError:
            unreadable += 1
        else:
            pairs.take(verdict, record.coordinates)

    topic = settings.topics.audit
    with progress(f"reading {topic}") as told:
        asyncio.run(scan_topic(settings.kafka, topic, take, told))
    return unreadable


async def _examples(
    settings: Settings, chosen: list[tuple[Found, Found]], *, rationale: bool, text: bool
) -> list[Example]:
    places = [it.record for pair in chosen for it in pair] if rationale else []
    if text:
        places += [one.event for one, _ in chosen]
    records = await look_up(settings.kafka, places) if places else {}
    text_of = _reader(settings) if text else None
    return [
        Example(
            one,
            other,
            (_rationale(records, one), _rationale(records, other)) if rationale else (None, None),
            text_of(records.get(one.event)) if text_of else None,
        )
        for one, other in chosen
    ]


def _rationale(records: dict[Coordinates, InputRecord], found: Found) -> str:
    record = records.get(found.record)
    if record is None:
        return _GONE
    return AuditRecord.model_validate_json(record.value or b"").rationale or "(none)"


def _reader(settings: Settings) -> Callable[[InputRecord | None], str]:
    # Loaded when it is needed: the whole worker comes with it.
    from afterguard.app import decoder  # noqa: PLC0415

    decode = decoder(settings)

    def text_of(record: InputRecord | None) -> str:
        if record is None:
            return _GONE
        try:
            return content_for(decode(record))
        except RejectedInput as error:
            return f"(no event any more: {error.reason.value})"

    return text_of
