"""Bytes become an event or a rejection with the right reason; nothing else ever comes out."""

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import chat_event, event_fields, input_record

from afterguard.contracts.codec import decode_event, encode, validate_event
from afterguard.contracts.errors import RejectedInput, RejectReason
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import Headers
from afterguard.contracts.words import Kind

LIMIT = 1_000_000
MARKER = "zq7-hostile-marker"
CLOUD: Headers = (("ce_id", b"from-header"), ("ce_time", b"2026-01-05T12:00:00Z"))


def decode(value: bytes | None, headers: Headers = ()) -> ChatEvent:
    return decode_event(input_record(value, headers=headers), max_bytes=LIMIT)


def refused(value: bytes | None, headers: Headers = ()) -> RejectedInput:
    with pytest.raises(RejectedInput) as caught:
        decode(value, headers)
    return caught.value


def outcome(work: Callable[[], object]) -> RejectedInput | None:
    """The rejection, if there is one; any other error is the failure of the test."""
    try:
        work()
    except RejectedInput as fault:
        return fault
    return None


def as_json(**changes: Any) -> bytes:
    return json.dumps(event_fields(**changes)).encode()


def without(*names: str, **changes: Any) -> bytes:
    fields = event_fields(**changes)
    return json.dumps({name: fields[name] for name in fields if name not in names}).encode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, RejectReason.TOMBSTONE),
        (b"x" * (LIMIT + 1), RejectReason.TOO_LARGE),
        (b'{"content": "\xff"}', RejectReason.NOT_UTF8),
        (as_json().replace(b"good", b"g\xf6\xf6d"), RejectReason.NOT_UTF8),
        (b"", RejectReason.NOT_JSON),
        (b"   ", RejectReason.NOT_JSON),
        (b"{", RejectReason.NOT_JSON),
        (as_json() + b" trailing", RejectReason.NOT_JSON),
        (b"\xef\xbb\xbf" + as_json(), RejectReason.NOT_JSON),
        (b'{"content": "\\ud800"}', RejectReason.NOT_JSON),
        (b"[" * 100_000 + b"]" * 100_000, RejectReason.NOT_JSON),
        (b'{"target": ' + b"9" * 5_000 + b"}", RejectReason.NOT_JSON),
        (b"null", RejectReason.INVALID_EVENT),
        (b"[]", RejectReason.INVALID_EVENT),
        (b'"text"', RejectReason.INVALID_EVENT),
        (b"{}", RejectReason.INVALID_EVENT),
    ],
)
def test_what_is_no_event_is_rejected_with_its_reason(
    value: bytes | None, reason: RejectReason
) -> None:
    assert refused(value).reason is reason


def test_a_value_of_exactly_the_limit_is_read() -> None:
    filler = LIMIT - len(as_json(content=""))
    assert decode(as_json(content="x" * filler)).content == "x" * filler


@pytest.mark.parametrize(
    "name", ["event_id", "occurred_at", "kind", "conversation_id", "author", "content"]
)
def test_a_missing_field_is_named(name: str) -> None:
    assert refused(without(name)).detail == f"{name}: missing"


def test_every_field_at_fault_is_named() -> None:
    told = refused(as_json(kind="shout", lane="fast", sequence=-1)).detail
    assert told == "kind: enum; lane: enum; sequence: greater_than_equal"


def test_a_long_list_of_faults_is_cut_with_a_count() -> None:
    assert refused(b"{}").detail.endswith("; and 1 more")


def test_unknown_fields_are_kept_out_of_the_way() -> None:
    event = decode(as_json(mood="good", is_blank=True, model_config=1, __class__="x"))
    assert (event.content, event.is_blank) == ("good morning", False)


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("conversation", "a text"),
        ("message", [{"role": "user", "text": "a turn"}]),
        ("completion", []),
        ("completion_chunk", []),
    ],
)
def test_content_must_have_the_shape_of_its_kind(kind: str, content: object) -> None:
    assert refused(as_json(kind=kind, content=content)).reason is RejectReason.INVALID_EVENT


@pytest.mark.parametrize("content", [None, 7, True, {"text": "x"}, ["x"]])
def test_content_of_another_type_is_not_turned_into_text(content: object) -> None:
    assert refused(as_json(content=content)).reason is RejectReason.INVALID_EVENT


@pytest.mark.parametrize("name", ["event_id", "conversation_id", "tenant", "channel_id"])
@pytest.mark.parametrize("value", ["", "x" * 257, 7])
def test_an_identifier_is_a_text_of_1_to_256_characters(name: str, value: object) -> None:
    assert refused(as_json(**{name: value})).detail.startswith(name)


def test_a_time_without_a_zone_is_refused() -> None:
    told = refused(as_json(occurred_at="2026-01-05T12:00:00")).detail
    assert told == "occurred_at: timezone_aware"


def test_an_empty_content_is_an_event_and_blank() -> None:
    assert decode(as_json(content="")).is_blank
    assert decode(as_json(content=" \n\t\u3000")).is_blank


def test_the_last_of_two_equal_keys_counts() -> None:
    doubled = as_json()[:-1] + b', "event_id": "second"}'
    assert decode(doubled).event_id == "second"


@pytest.mark.parametrize("headers", [(), CLOUD])
@pytest.mark.parametrize("odd", [b"NaN", b"-Infinity", b"9" * 4_000, b"[" * 150 + b"]" * 150])
def test_odd_numbers_and_depths_are_read_alike_with_and_without_headers(
    odd: bytes, headers: Headers
) -> None:
    """Whether the id comes from a header changes nothing about what may stand in `target`."""
    value = without(*(("event_id",) if headers else ()))[:-1] + b', "target": ' + odd + b"}"
    event = decode(value, headers)
    assert json.loads(encode(event))["event_id"] == event.event_id


def test_a_number_that_is_none_is_written_as_null() -> None:
    """What we publish must be JSON for everybody, and JSON has no NaN."""
    event = decode(as_json()[:-1] + b', "target": {"a": [NaN]}}')
    assert json.loads(encode(event))["target"] == {"a": [None]}


def test_headers_stand_in_for_a_missing_id_and_time() -> None:
    event = decode(without("event_id", "occurred_at"), CLOUD)
    assert (event.event_id, event.occurred_at.isoformat()) == (
        "from-header",
        "2026-01-05T12:00:00+00:00",
    )


def test_the_value_wins_over_the_headers() -> None:
    assert decode(without("occurred_at"), CLOUD).event_id == "e-1"


@pytest.mark.parametrize(
    "headers",
    [
        (("ce_id", b""),),
        (("ce_id", b"\xff"),),
        (("ce_id", None),),
        (("ce_time", b"2026-01-05T12:00:00Z"),),
    ],
)
def test_headers_that_give_no_id_leave_it_missing(headers: Headers) -> None:
    assert refused(without("event_id"), headers).reason is RejectReason.INVALID_EVENT


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
moments = st.datetimes(timezones=st.just(UTC))
turns = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"]), "text": texts}
)
shapes = st.tuples(st.sampled_from([kind for kind in Kind if kind != "conversation"]), texts) | (
    st.tuples(st.just(Kind.CONVERSATION), st.lists(turns, max_size=3))
)


@st.composite
def events(draw: st.DrawFn) -> ChatEvent:
    """Any valid event."""
    kind, content = draw(shapes)
    return chat_event(
        event_id=draw(names),
        conversation_id=draw(names),
        occurred_at=draw(moments),
        author={"id": draw(names)},
        kind=kind,
        content=content,
        target=draw(json_values),
        tenant=draw(st.none() | names),
        sequence=draw(st.none() | st.integers(0, 2**40)),
        deadline=draw(st.none() | moments),
    )


@given(events())
def test_encode_and_decode_are_inverses(event: ChatEvent) -> None:
    assert decode(encode(event)) == event


@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_a_rejection(value: bytes) -> None:
    with pytest.raises(RejectedInput):
        decode(value)


@given(st.binary(max_size=3), st.integers(0, 200), st.integers(0, 20), st.sampled_from([(), CLOUD]))
def test_a_damaged_event_is_an_event_or_a_rejection(
    patch: bytes, place: int, cut: int, headers: Headers
) -> None:
    """No damage of a few bytes may raise anything but a rejection."""
    whole = without("event_id") if headers else as_json()
    damaged = whole[:place] + patch + whole[place + cut :]
    fault = outcome(lambda: encode(decode(damaged, headers)))
    assert fault is None or fault.detail


damages = st.fixed_dictionaries(
    {},
    optional={
        "event_id": st.sampled_from([None, "", MARKER * 20]),
        "occurred_at": st.sampled_from([None, MARKER, "2026-01-05"]),
        "kind": st.sampled_from([MARKER, "conversation"]),
        "author": st.sampled_from([MARKER, {"id": "", "role": MARKER}]),
        "lane": st.just(MARKER),
        "deadline": st.just(MARKER),
        "policies": st.sampled_from([MARKER, [7, MARKER, ""]]),
        "language": st.just(MARKER * 5),
        "sequence": st.just(MARKER),
        "content": st.sampled_from([{MARKER: MARKER}, [MARKER], [{"role": MARKER, MARKER: 1}]]),
        MARKER: st.just(MARKER),
    },
)


@given(damages, st.booleans())
def test_the_detail_of_a_rejection_never_carries_content(
    damage: dict[str, Any], as_fields: bool
) -> None:
    """Error texts go to logs and dead letters; message text does not."""
    fields = event_fields(**({"content": MARKER} | damage))
    value = json.dumps(fields).encode() + (b"" if len(damage) % 2 else MARKER.encode())
    fault = outcome(lambda: validate_event(fields) if as_fields else decode(value))
    assert fault is None or MARKER not in f"{fault} {fault!r}"
