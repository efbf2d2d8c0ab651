"""One entry of `input.map`: how what was found becomes a field of the chat event."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from jmespath.exceptions import JMESPathError
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from afterguard.contracts.errors import MappingError
from afterguard.contracts.events import Author, ChatEvent
from afterguard.contracts.records import InputRecord
from afterguard.stream.mapping_finders import (
    EPOCH,
    IN_RECORD,
    Finder,
    along_path,
    constant,
    in_header,
)

Convert = Callable[[str, object], object]

IDENTIFIERS: Final = frozenset({"event_id", "conversation_id", "author.id", "tenant", "channel_id"})
TIMESTAMPS: Final = frozenset({"occurred_at", "deadline"})
FIELDS: Final = (
    *(name for name in ChatEvent.model_fields if name != "author"),
    "author.id",
    "author.role",
)
REQUIRED: Final = frozenset(
    {"event_id", "occurred_at", "kind", "conversation_id", "author.id", "content"}
)
_PER_SECOND: Final = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_NUMBER: Final = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?\s*")
_LONGEST_NUMERIC_ID: Final = 10**256


class FieldSource:
    """One field of the chat event and where it comes from.

    Attributes:
        field: The field, such as `author.id`.
        told: The source in the words of the settings, for errors.
    """

    __slots__ = ("_convert", "_default", "_find", "_table", "field", "told")

    def __init__(
        self,
        field: str,
        told: str,
        find: Finder,
        *,
        default: object = None,
        table: dict[str, object] | None = None,
        convert: Convert | None = None,
    ) -> None:
        self.field, self.told = field, told
        self._find, self._default, self._table = find, default, table
        self._convert = convert

    def value(self, document: object, record: InputRecord) -> object:
        """The value of the field; None when an optional field has none.

        Raises:
            MappingError: A required field has none, or what was found cannot become the field.
                The detail names the source and never what was found there.
        """
        found = self._find(document, record)
        if found is None:
            if self._default is None and self.field in REQUIRED:
                raise MappingError(self.field, f"{self.told} is null or absent")
            return self._default
        if self._table is not None:
            key = _table_key(found)
            if key is None or key not in self._table:
                if self._default is None:
                    raise MappingError(self.field, f"{self.told} is none of the known `values`")
                return self._default
            return self._table[key]
        return found if self._convert is None else self._convert(self.field, found)


def field_source(field: str, entry: object) -> tuple[FieldSource | None, list[str]]:
    """Compile one entry of `input.map`.

    Returns:
        The source, or None with one line for each fault; the lines do not name the field.
    """
    long_form = {"path": entry} if isinstance(entry, str) else entry
    if not isinstance(long_form, dict):
        return None, ["must be a JMESPath, or a table with path, header, record or const"]
    try:
        parsed = _Entry.model_validate(long_form)
    except ValidationError as error:
        return None, [
            _line(fault["type"], fault["loc"], fault["msg"])
            for fault in error.errors(include_url=False)
        ]
    problems = _misfits(field, parsed)
    told, find = _finder(field, parsed, problems)
    zone = _zone(parsed.zone, problems)
    default = parsed.default
    if "default" in parsed.model_fields_set:
        default = _checked(field, "default", default, problems)
    table: dict[str, object] | None = None
    if parsed.values is not None:
        table = {
            str(_table_key(theirs)): _checked(field, f"values.{theirs}", ours, problems)
            for theirs, ours in parsed.values.items()
        }
    if problems:
        return None, problems
    convert = _converter(field, parsed, zone)
    return FieldSource(field, told, find, default=default, table=table, convert=convert), []


class _Entry(BaseModel):
    """The long form of one entry."""

    model_config = ConfigDict(extra="forbid")

    path: str | None = None
    header: str | None = None
    record: Literal["key", "topic", "partition", "offset", "coordinates", "timestamp"] | None = None
    const: Any = None
    default: Any = None
    values: dict[str | int | bool, Any] | None = None
    unit: Literal["s", "ms", "us", "ns"] | None = None
    zone: str | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> Self:
        origins = {"path", "header", "record", "const"} & self.model_fields_set
        if len(origins) != 1:
            raise ValueError("needs exactly one of path, header, record, const")
        if "const" in origins and len(self.model_fields_set) > 1:
            raise ValueError("const stands alone")
        if self.unit and self.zone:
            raise ValueError("unit and zone exclude each other: an epoch has no time zone")
        if (self.unit or self.zone) and self.record not in {None, "key"}:
            raise ValueError("unit and zone have no meaning for a part of the record")
        return self


LONG_FORM: Final = frozenset(_Entry.model_fields)


def _line(kind: str, loc: tuple[int | str, ...], message: str) -> str:
    place = ".".join(str(step) for step in loc)
    if kind == "extra_forbidden":
        return f"{place}: no such key; there are {', '.join(_Entry.model_fields)}"
    told = message.removeprefix("Value error, ")
    return f"{place}: {told[0].lower()}{told[1:]}" if place else told


def _misfits(field: str, entry: _Entry) -> list[str]:
    if field in TIMESTAMPS:
        wrong = entry.record not in {None, "key", "timestamp"}
        return [f"record: {entry.record} is no time"] if wrong else []
    given = {
        "unit": entry.unit,
        "zone": entry.zone,
        "record: timestamp": entry.record == "timestamp",
    }
    return [
        f"{key}: only for {', '.join(sorted(TIMESTAMPS))}" for key, set_ in given.items() if set_
    ]


def _finder(field: str, entry: _Entry, problems: list[str]) -> tuple[str, Finder]:
    if entry.path is not None:
        try:
            return f"`{entry.path}`", along_path(field, entry.path)
        except JMESPathError as error:
            problems.append(f"not a JMESPath: {' '.join(str(error).split())}")
    elif entry.header is not None:
        return f"header `{entry.header}`", in_header(entry.header)
    elif entry.record is not None:
        return f"record {entry.record}", IN_RECORD[entry.record]
    return "const", constant(
        _checked(field, "const", entry.const, problems)
        if "const" in entry.model_fields_set
        else None
    )


def _zone(name: str | None, problems: list[str]) -> tzinfo | None:
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        problems.append(f"zone: {name!r} is no IANA time zone that this machine knows")
        return None


def _checked(field: str, key: str, value: object, problems: list[str]) -> object:
    """The value as the field would hold it; what it cannot hold is a problem of the settings."""
    if value is None:
        if field in REQUIRED:
            problems.append(f"{key}: may not be null")
        return None
    outer, _, inner = field.partition(".")
    info = (Author if inner else ChatEvent).model_fields[inner or outer]
    if field in IDENTIFIERS and type(value) is int:
        value = str(value)
    try:
        adapter: TypeAdapter[object] = TypeAdapter(
            Annotated[info.annotation, info]  # type: ignore[arg-type]  # built at run time
        )
        return adapter.validate_python(value)
    except ValidationError as error:
        told = error.errors(include_url=False)[0]["msg"]
        problems.append(f"{key}: {told[0].lower()}{told[1:]}")
        return None


def _table_key(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int) else None


def _converter(field: str, entry: _Entry, zone: tzinfo | None) -> Convert | None:
    if field in IDENTIFIERS:
        return _identifier
    if field not in TIMESTAMPS or not (entry.path or entry.header or entry.record == "key"):
        return None
    if entry.unit is not None:
        per_second = _PER_SECOND[entry.unit]
        return lambda name, found: _from_epoch(name, found, per_second)
    return lambda name, found: _from_text(name, found, zone)


def _identifier(field: str, found: object) -> object:
    if type(found) is not int:
        return found
    if abs(found) >= _LONGEST_NUMERIC_ID:
        raise MappingError(field, "a number of more than 256 digits")
    return str(found)


def _from_epoch(field: str, found: object, per_second: int) -> datetime:
    try:
        if isinstance(found, str) and _NUMBER.fullmatch(found):
            found = int(found) if found.strip().lstrip("+-").isdigit() else float(found)
        if isinstance(found, int) and not isinstance(found, bool):
            whole, rest = divmod(found, per_second)
            return EPOCH + timedelta(seconds=whole, microseconds=rest * 10**6 // per_second)
        if isinstance(found, float):
            return EPOCH + timedelta(seconds=found / per_second)
    except (OverflowError, ValueError):
        raise MappingError(field, "a number beyond the calendar") from None
    raise MappingError(field, "`unit` is set, but what was found is no number")


def _from_text(field: str, found: object, zone: tzinfo | None) -> object:
    if not isinstance(found, str) or _NUMBER.fullmatch(found):
        raise MappingError(field, "no ISO 8601 text; a number needs `unit`: s, ms, us or ns")
    if zone is None:
        return found
    try:
        moment = datetime.fromisoformat(found.strip())
    except ValueError:
        raise MappingError(field, "no ISO 8601 date and time") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
