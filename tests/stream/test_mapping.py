"""`input.map` as a whole: records of any shape to chat events, dead letters and settings faults."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import NOON, event_fields, input_record

from afterguard.contracts.cloudevents import CHAT_EVENT
from afterguard.contracts.errors import (
    Consequence,
    MappingError,
    RejectedInput,
    RejectReason,
    SettingsError,
)
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import InputRecord
from afterguard.stream.mapping import EventMap

MAX_BYTES = 10_000
SECRET = "a most private sentence"

MAP: dict[str, Any] = {
    "event_id": "id",
    "occurred_at": {"path": "at", "unit": "ms"},
    "kind": {"const": "message"},
    "conversation_id": "room.id",
    "author": {
        "id": "by",
        "role": {"path": "bot", "values": {True: "assistant"}, "default": "user"},
    },
    "content": "text",
    "language": "lang",
}
ROW: dict[str, Any] = {
    "id": 17,
    "at": 1767614400000,
    "room": {"id": "r-1"},
    "by": "ann",
    "text": "hi",
    "more": 1,
}
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2)
    ),
    max_leaves=4,
)


def of(document: object, **changes: Any) -> InputRecord:
    return input_record(json.dumps(document).encode(), **changes)


def event(document: object, map: dict[str, Any] = MAP, **changes: Any) -> ChatEvent:  # noqa: A002
    return EventMap.compile(map).event(of(document, **changes), MAX_BYTES)


def faults(map: dict[str, Any]) -> list[str]:  # noqa: A002
    with pytest.raises(SettingsError) as error:
        EventMap.compile(map)
    return error.value.problems


def test_each_field_is_found_where_the_map_says() -> None:
    assert event(ROW) == ChatEvent.model_validate(
        {
            "event_id": "17",
            "occurred_at": NOON,
            "kind": "message",
            "conversation_id": "r-1",
            "author": {"id": "ann", "role": "user"},
            "content": "hi",
        }
    )
    assert event(ROW | {"bot": True, "lang": "de"}).author.role == "assistant"


def test_what_the_map_does_not_name_is_left_behind() -> None:
    assert not event(ROW).model_extra


def test_id_and_time_that_the_map_leaves_out_come_from_the_cloudevents_headers() -> None:
    short = {name: it for name, it in MAP.items() if name not in {"event_id", "occurred_at"}}
    headers = (("ce_id", b"e-9"), ("ce_time", b"2026-01-05T12:00:00Z"))
    found = event(ROW, short, headers=headers)
    assert (found.event_id, found.occurred_at) == ("e-9", NOON)
    with pytest.raises(MappingError, match="event_id: header `ce_id` is null or absent"):
        event(ROW, short)


def test_a_record_that_says_it_has_our_own_shape_is_read_as_such() -> None:
    own = of(event_fields(), headers=(("ce_type", CHAT_EVENT.encode()),))
    assert EventMap.compile(MAP).event(own, MAX_BYTES).event_id == "e-1"
    assert EventMap.compile(MAP).attempt(own, MAX_BYTES).faults == ()


@pytest.mark.parametrize("field", ["id", "at", "by", "text"])
@pytest.mark.parametrize("absent", [True, False])
def test_a_required_field_that_yields_nothing_is_a_dead_letter_that_names_it(
    field: str, absent: bool
) -> None:
    row = {name: it for name, it in ROW.items() if name != field}
    with pytest.raises(MappingError) as error:
        event(row if absent else row | {field: None})
    named = {"id": "event_id", "at": "occurred_at", "by": "author.id", "text": "content"}[field]
    assert error.value.field == named
    assert error.value.reason is RejectReason.UNMAPPED
    assert error.value.consequence is Consequence.DEAD_LETTER
    assert error.value.detail == f"{named}: `{field}` is null or absent"


def test_a_value_that_the_contract_refuses_is_an_invalid_event_that_names_the_field() -> None:
    with pytest.raises(RejectedInput) as error:
        event(ROW | {"text": {"secret": SECRET}})
    assert error.value.reason is RejectReason.INVALID_EVENT
    assert error.value.detail.startswith("content")
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, RejectReason.TOMBSTONE),
        (b"", RejectReason.NOT_JSON),
        (b"{", RejectReason.NOT_JSON),
        (b'"\xff"', RejectReason.NOT_UTF8),
        (b"[" * 500 + b"]" * 500, RejectReason.NOT_JSON),
        (b'"' + b"x" * MAX_BYTES + b'"', RejectReason.TOO_LARGE),
        (b"9" * 5_000, RejectReason.NOT_JSON),
        (b"null", RejectReason.UNMAPPED),
        (b"[1, 2]", RejectReason.UNMAPPED),
        (b'{"id": [[[[]]]], "at": {}}', RejectReason.UNMAPPED),
    ],
)
def test_a_record_that_cannot_be_mapped_has_its_reason(
    value: bytes | None, reason: RejectReason
) -> None:
    event_map = EventMap.compile(MAP)
    with pytest.raises(RejectedInput) as error:
        event_map.event(input_record(value), MAX_BYTES)
    assert error.value.reason is reason
    assert event_map.attempt(input_record(value), MAX_BYTES).faults[0].reason is reason


@given(changes=st.dictionaries(st.sampled_from([*ROW, "bot", "lang"]), ANY, max_size=4))
@settings(deadline=None, max_examples=300)
def test_any_record_is_an_event_or_rejected_and_the_attempt_agrees(changes: dict[str, Any]) -> None:
    event_map, record = EventMap.compile(MAP), of({**ROW, "text": SECRET} | changes)
    attempt = event_map.attempt(record, MAX_BYTES)
    try:
        mapped = event_map.event(record, MAX_BYTES)
    except RejectedInput as fault:
        assert attempt.event is None
        assert str(fault) in {str(it) for it in attempt.faults}  # noqa: PT017
        assert SECRET not in str(fault)  # noqa: PT017
    else:
        assert (attempt.event, attempt.faults) == (mapped, ())


def test_an_attempt_tells_every_field_that_failed_and_what_was_found() -> None:
    attempt = EventMap.compile(MAP).attempt(of({"id": 1, "at": "soon", "by": "ann"}), MAX_BYTES)
    failed = [it.field for it in attempt.faults if isinstance(it, MappingError)]
    assert failed == ["occurred_at", "conversation_id", "content"]
    assert attempt.fields["event_id"] == "1"
    assert attempt.fields["author"] == {"id": "ann", "role": "user"}


def test_every_fault_of_a_map_is_told_with_its_field() -> None:
    told = faults({"content": "a[", "kind": {"const": 7}, "sender": "x", "author": {"nick": "y"}})
    assert [line.split(": ")[0] for line in told] == [
        "input.map.content",
        "input.map.kind",
        "input.map.sender",
        "input.map.author.nick",
        "input.map.author.id",
        "input.map.conversation_id",
    ]


def test_an_empty_map_tells_all_that_it_needs() -> None:
    assert [line.split(".")[2].split(":")[0] for line in faults({})] == [
        "author",
        "content",
        "conversation_id",
        "kind",
    ]


def test_an_author_that_is_no_table_is_a_fault() -> None:
    assert faults(MAP | {"author": "by"})[0].startswith("input.map.author: no such field")


def test_an_entry_further_on_wins_over_one_within_author() -> None:
    # So that an option of the command line wins over the settings, however both are written.
    assert event(ROW, MAP | {"author.id": "id"}).author.id == "17"


def test_what_the_caller_supplies_may_be_left_out() -> None:
    event_map = EventMap.compile(
        {"content": "text"},
        supplied={"event_id", "occurred_at", "kind"} | {"conversation_id", "author.id"},
    )
    assert event_map.fields(of(ROW), MAX_BYTES) == {"content": "hi"}
