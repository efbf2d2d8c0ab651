"""Bytes to events and models to bytes.

pydantic's own JSON core does both directions: the definition of the contracts and the fast path
are one and the same.
"""

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from afterguard.contracts.cloudevents import attributes
from afterguard.contracts.errors import RejectedInput, RejectReason
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import InputRecord

_DETAIL_FAULTS = 5


def encode(model: BaseModel) -> bytes:
    """The model as UTF-8 JSON."""
    return model.__pydantic_serializer__.to_json(model)


def decode_event(record: InputRecord, *, max_bytes: int) -> ChatEvent:
    """The chat event of a record whose value has our own shape.

    `event_id` and `occurred_at` may be absent from the value when the record carries them as
    CloudEvents attributes (`ce_id`, `ce_time`).

    Args:
        record: The record as read.
        max_bytes: Larger values are refused unread.

    Raises:
        RejectedInput: With the reason; its detail never quotes content.
    """
    value = readable(record, max_bytes=max_bytes)
    try:
        return ChatEvent.model_validate_json(value)
    except ValidationError as error:
        if _lacks_an_attribute(error):
            return _with_attributes(record, value)
        raise rejection(error, value) from None


def validate_event(fields: dict[str, Any]) -> ChatEvent:
    """The chat event made of already decoded fields.

    Raises:
        RejectedInput: `invalid_event`, naming the fields at fault.
    """
    try:
        return ChatEvent.model_validate(fields)
    except ValidationError as error:
        raise RejectedInput(RejectReason.INVALID_EVENT, _faults(error)) from None


def readable(record: InputRecord, *, max_bytes: int) -> bytes:
    """The value of a record, when there is one of a size that may be read.

    Raises:
        RejectedInput: `tombstone` or `too_large`.
    """
    if record.value is None:
        raise RejectedInput(RejectReason.TOMBSTONE, "the record has no value")
    if len(record.value) > max_bytes:
        raise RejectedInput(
            RejectReason.TOO_LARGE,
            f"{len(record.value)} bytes; input.max_event_bytes is {max_bytes}",
        )
    return record.value


def json_of(record: InputRecord, *, max_bytes: int) -> object:
    """The value of a record of any shape, by the parser that reads our own.

    So that both refuse the same depths and numbers.

    Raises:
        RejectedInput: `tombstone`, `too_large`, `not_utf8` or `not_json`.
    """
    value = readable(record, max_bytes=max_bytes)
    try:
        return from_json(value)
    except ValueError:
        raise _not_json(value) from None


def rejection(error: ValidationError, value: bytes) -> RejectedInput:
    """The reason for which a value is no event, told apart by what is wrong with it."""
    if any(fault["type"] == "json_invalid" for fault in error.errors(include_input=False)):
        return _not_json(value)
    return RejectedInput(RejectReason.INVALID_EVENT, _faults(error))


def _not_json(value: bytes) -> RejectedInput:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as broken:
        return RejectedInput(RejectReason.NOT_UTF8, f"byte {broken.start} of {len(value)}")
    return RejectedInput(RejectReason.NOT_JSON, f"{len(value)} bytes")


def _lacks_an_attribute(error: ValidationError) -> bool:
    return any(
        fault["type"] == "missing" and fault["loc"] in {("event_id",), ("occurred_at",)}
        for fault in error.errors(include_input=False)
    )


def _with_attributes(record: InputRecord, value: bytes) -> ChatEvent:
    # The same parser as before, for others refuse numbers and depths that it let pass.
    fields = from_json(value)
    carried = attributes(record.headers)
    for field, attribute in (("event_id", "id"), ("occurred_at", "time")):
        if attribute in carried:
            fields.setdefault(field, carried[attribute])
    return validate_event(fields)


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        f"{'.'.join(str(step) for step in fault['loc']) or 'event'}: {fault['type']}"
        for fault in faults[:_DETAIL_FAULTS]
    ]
    more = len(faults) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more > 0 else "")
