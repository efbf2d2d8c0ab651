"""`input.map`: records of any shape to chat events, so that nobody has to change a producer.

Each field of the chat event is found by a JMESPath, or taken from a header or from the record
itself, or is a constant. What the map leaves out keeps the default of the contract; an id and a
time that it leaves out come from the CloudEvents headers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from afterguard.contracts.cloudevents import CHAT_EVENT
from afterguard.contracts.codec import decode_event, json_of, validate_event
from afterguard.contracts.errors import MappingError, RejectedInput, SettingsError
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import InputRecord
from afterguard.stream.mapping_fields import FIELDS, REQUIRED, FieldSource, field_source

_OWN_SHAPE = CHAT_EVENT.encode()
_FROM_HEADERS = {"event_id": "ce_id", "occurred_at": "ce_time"}


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one record, for people who write a map.

    Attributes:
        fields: What was found, field by field; `author` holds a table of its own.
        faults: Why there is no event: every field that failed, or the one fault of the record.
        event: The event, when there is no fault.
    """

    fields: dict[str, Any]
    faults: tuple[RejectedInput, ...]
    event: ChatEvent | None


class EventMap:
    """A compiled `input.map`. Pure: the same record always gives the same event."""

    __slots__ = ("_sources",)

    def __init__(self, sources: Iterable[FieldSource]) -> None:
        self._sources = tuple(sources)

    @classmethod
    def compile(cls, map: Mapping[str, Any], *, supplied: Iterable[str] = ()) -> Self:  # noqa: A002
        """Compile the `input.map` of the settings.

        Args:
            map: ChatEvent field -> JMESPath or long form. `author.id` may be written as a table
                `author: {id: …}`.
            supplied: Required fields that the caller fills in when the map leaves them out.

        Raises:
            SettingsError: One line for each fault, naming `input.map.FIELD`.
        """
        problems: list[str] = []
        sources: list[FieldSource] = []
        entries = _flat(map)
        for field, spec in entries.items():
            if field not in FIELDS:
                problems.append(f"input.map.{field}: no such field; there are {', '.join(FIELDS)}")
                continue
            source, faults = field_source(field, spec)
            problems += [f"input.map.{field}: {fault}" for fault in faults]
            if source is not None:
                sources.append(source)
        for field in sorted(REQUIRED - set(entries) - set(supplied)):
            if field in _FROM_HEADERS:
                source, _ = field_source(field, {"header": _FROM_HEADERS[field]})
                assert source is not None
                sources.append(source)
            else:
                example = ", such as {const: message}" if field == "kind" else ""
                problems.append(f"input.map.{field}: needed{example}")
        if problems:
            raise SettingsError(problems)
        return cls(sources)

    def event(self, record: InputRecord, max_bytes: int) -> ChatEvent:
        """The chat event that a record becomes.

        A record whose `ce_type` header says that it has our own shape is read as such, so that
        `afterguard replay` and dead letters may share a topic with mapped records.

        Raises:
            MappingError: A required field yields nothing; names the field.
            RejectedInput: With the reason; its detail never quotes content.
        """
        if record.headers and record.header("ce_type") == _OWN_SHAPE:
            return decode_event(record, max_bytes=max_bytes)
        return validate_event(self.fields(record, max_bytes))

    def fields(self, record: InputRecord, max_bytes: int) -> dict[str, Any]:
        """What the map finds in a record, not yet validated; absent fields are left out.

        Raises:
            MappingError, RejectedInput: As `event`.
        """
        return _find(self._sources, json_of(record, max_bytes=max_bytes), record, None)

    def attempt(self, record: InputRecord, max_bytes: int) -> Attempt:
        """Like `event`, but never raises and tells every field that failed."""
        found: dict[str, Any] = {}
        try:
            if record.headers and record.header("ce_type") == _OWN_SHAPE:
                event = decode_event(record, max_bytes=max_bytes)
                return Attempt(event.model_dump(exclude_unset=True), (), event)
            faults: list[MappingError] = []
            found = _find(self._sources, json_of(record, max_bytes=max_bytes), record, faults)
            if faults:
                return Attempt(found, tuple(faults), None)
            return Attempt(found, (), validate_event(found))
        except RejectedInput as fault:
            return Attempt(found, (fault,), None)


def _flat(map: Mapping[str, Any]) -> dict[str, Any]:  # noqa: A002
    entries: dict[str, Any] = {}
    for field, spec in map.items():
        if field == "author" and isinstance(spec, dict):
            entries |= {f"author.{inner}": entry for inner, entry in spec.items()}
        else:
            entries[field] = spec
    return entries


def _find(
    sources: tuple[FieldSource, ...],
    document: object,
    record: InputRecord,
    faults: list[MappingError] | None,
) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    author: dict[str, Any] = {}
    for source in sources:
        try:
            value = source.value(document, record)
        except MappingError as fault:
            if faults is None:
                raise
            faults.append(fault)
            continue
        if value is None:
            continue
        if source.field.startswith("author."):
            author[source.field[7:]] = value
        else:
            fields[source.field] = value
    if author:
        fields["author"] = author
    return fields
