"""Rows of a file to chat events, with ids that a second replay repeats."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from afterguard.contracts.cloudevents import CHAT_EVENT, Envelope, stamp
from afterguard.contracts.codec import encode, json_of, validate_event
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import RejectedInput, RejectReason
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.row_files import Row
from afterguard.stream.mapping import EventMap
from afterguard.stream.mapping_fields import REQUIRED

_NAMESPACE: Final = uuid5(NAMESPACE_URL, "https://afterguard.dev/ns/replayed-row")
_AUTHOR: Final = "replay"
_ENVELOPE: Final = Envelope(CHAT_EVENT, "/afterguard/replay")


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that is no event: its line, a code, and a detail that quotes no content."""

    line: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class ReadyRow:
    """A row as a record to send, and whether its id and its time had to be made."""

    record: OutputRecord
    id_made: bool
    time_made: bool


class RowEvents:
    """Makes events out of rows, in the order of the file.

    What neither the row nor the map gives: the id is a UUIDv5 of the row's bytes and of how many
    equal rows came before it; the time is now; the kind is `message`; the author is a user called
    `replay`; each row is a conversation of its own.

    Args:
        map: ChatEvent field -> JMESPath or long form; empty when the rows have our own shape.
        max_bytes: A larger event is a bad row.

    Raises:
        SettingsError: The map cannot be compiled.
    """

    def __init__(self, map: Mapping[str, Any], *, max_bytes: int) -> None:  # noqa: A002
        self._map = EventMap.compile(map, supplied=REQUIRED - {"content"}) if map else None
        self._max = max_bytes
        self._seen: set[int] = set()
        self._repeats: dict[int, int] = {}

    def prepare(self, rows: Iterable[Row], topic: str) -> Iterator[ReadyRow | BadRow]:
        """What to send for each row, or why nothing can be sent."""
        for row in rows:
            try:
                yield self._ready(row, topic)
            except RejectedInput as error:
                yield BadRow(row.line, error.reason.value, error.detail)

    def _ready(self, row: Row, topic: str) -> ReadyRow:
        if row.value is None:
            raise RejectedInput(RejectReason.NOT_JSON, row.fault)
        now = datetime.now(UTC)
        record = InputRecord(
            Coordinates("replay", 0, row.line),
            None,
            row.value,
            timestamp_ms=int(now.timestamp() * 1_000),
        )
        if self._map is not None:
            fields = self._map.fields(record, self._max)
        else:
            fields = self._own_shape(record)
        lacks_id = fields.get("event_id") is None
        if lacks_id:
            fields["event_id"] = self._id(row.value)
        lacks_time = fields.get("occurred_at") is None
        if lacks_time:
            fields["occurred_at"] = now
        fields.setdefault("kind", "message")
        fields.setdefault("conversation_id", fields["event_id"])
        author = fields.setdefault("author", {})
        if isinstance(author, dict):
            author.setdefault("id", _AUTHOR)
        return ReadyRow(self._record(validate_event(fields), topic), lacks_id, lacks_time)

    def _own_shape(self, record: InputRecord) -> dict[str, Any]:
        fields = json_of(record, max_bytes=self._max)
        if not isinstance(fields, dict):
            raise RejectedInput(RejectReason.INVALID_EVENT, "the row is no JSON object")
        return fields

    def _id(self, value: bytes) -> str:
        digest = blake2b(value, digest_size=16).digest()
        # Eight bytes suffice to count: rows that share them by accident still get the same ids in
        # every replay of the file.
        short = int.from_bytes(digest[:8], "big")
        occurrence = 0
        if short in self._seen:
            occurrence = self._repeats[short] = self._repeats.get(short, 0) + 1
        else:
            self._seen.add(short)
        return str(uuid5(_NAMESPACE, f"{digest.hex()}/{occurrence}"))

    def _record(self, event: ChatEvent, topic: str) -> OutputRecord:
        value = encode(event)
        if len(value) > self._max:
            raise RejectedInput(
                RejectReason.TOO_LARGE, f"{len(value)} bytes; input.max_event_bytes is {self._max}"
            )
        conversation = event.conversation_id.encode()
        headers = _ENVELOPE.headers(
            event.event_id, subject=conversation, time=stamp(event.occurred_at)
        )
        return OutputRecord(topic, conversation, value, headers)
