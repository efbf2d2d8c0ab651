"""Rows of a file as chat events: ids that a second replay repeats, and faults without content."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import event_fields, input_record

from afterguard.cli.replay_rows import BadRow, ReadyRow, RowEvents
from afterguard.contracts.codec import decode_event
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.events import ChatEvent
from afterguard.row_files import Row

MAX_BYTES = 10_000
SECRET = "a most private sentence"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = st.sampled_from([*ChatEvent.model_fields, "text", "id"])


def prepared(*documents: object, map: dict[str, Any] | None = None) -> list[ReadyRow | BadRow]:  # noqa: A002
    rows = [Row(line, json.dumps(it).encode()) for line, it in enumerate(documents, start=1)]
    return list(RowEvents(map or {}, max_bytes=MAX_BYTES).prepare(rows, "chat.events"))


def event(row: ReadyRow | BadRow) -> ChatEvent:
    """What the worker reads of the record that would be sent."""
    assert isinstance(row, ReadyRow)
    sent = row.record
    return decode_event(input_record(sent.value, headers=sent.headers), max_bytes=MAX_BYTES)


def ids(rows: list[ReadyRow | BadRow]) -> list[str]:
    return [event(row).event_id for row in rows]


def test_a_row_of_our_own_shape_is_sent_as_it_is() -> None:
    (row,) = prepared(event_fields(target={"room": 7}, note="kept"))
    assert isinstance(row, ReadyRow)
    assert (row.id_made, row.time_made) == (False, False)
    assert json.loads(row.record.value or b"")["target"] == {"room": 7}
    assert event(row).event_id == "e-1"
    assert (row.record.topic, row.record.key) == ("chat.events", b"c-1")


def test_what_a_row_lacks_is_filled_in_and_told() -> None:
    (row,) = prepared({"content": "hi"})
    assert isinstance(row, ReadyRow)
    assert (row.id_made, row.time_made) == (True, True)
    made = event(row)
    assert (made.kind, made.author.id, made.author.role) == ("message", "replay", "user")
    assert made.conversation_id == made.event_id


def test_a_second_replay_has_the_same_ids_and_no_id_twice() -> None:
    documents = [{"content": "hi"}, {"content": "ho"}, {"content": "hi"}, {"content": "hi"}]
    first, second = ids(prepared(*documents)), ids(prepared(*documents))
    assert first == second
    assert len(set(first)) == len(documents)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.integers(0, 12))
@settings(deadline=None)
def test_the_begin_of_a_file_has_the_ids_that_it_has_in_the_whole_file(
    texts: list[str], cut: int
) -> None:
    documents = [{"content": it} for it in texts]
    assert ids(prepared(*documents))[:cut] == ids(prepared(*documents[:cut]))


def test_an_id_of_the_row_wins_over_one_that_is_made() -> None:
    (row,) = prepared({"m": 17, "text": "hi"}, map={"content": "text", "event_id": "m"})
    assert event(row).event_id == "17"


def test_a_map_may_leave_out_all_but_the_content() -> None:
    (row,) = prepared({"text": "hi"}, map={"content": "text"})
    assert event(row).content == "hi"


def test_the_time_of_a_record_is_the_time_of_the_replay() -> None:
    of_record = {"content": "text", "occurred_at": {"record": "timestamp"}}
    mapped, filled = prepared({"text": "a"}, map=of_record) + prepared({"content": "a"})
    assert abs((event(mapped).occurred_at - event(filled).occurred_at).total_seconds()) < 60


def test_a_map_that_yields_no_content_names_the_field() -> None:
    (row,) = prepared({"body": SECRET}, map={"content": "text"})
    assert row == BadRow(1, "unmapped", "content: `text` is null or absent")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row(3, None, "longer than 10 bytes"), "not_json"),
        (Row(3, b"{"), "not_json"),
        (Row(3, b'{"content": "\xff"}'), "not_utf8"),
        (Row(3, b"[" * 300 + b"]" * 300), "not_json"),
        (Row(3, b"[1]"), "invalid_event"),
        (Row(3, b'{"content": 1}'), "invalid_event"),
        (Row(3, b'{"content": "a", "author": []}'), "invalid_event"),
        (Row(3, json.dumps({"content": "x" * MAX_BYTES}).encode()), "too_large"),
    ],
)
def test_a_row_that_is_no_event_is_told_with_its_line(row: Row, reason: str) -> None:
    (bad,) = RowEvents({}, max_bytes=MAX_BYTES).prepare([row], "t")
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason) == (3, reason)


def test_an_event_grown_over_the_limit_by_what_is_filled_in_is_not_sent() -> None:
    (bad,) = prepared({"content": "x" * (MAX_BYTES - 20)})
    assert isinstance(bad, BadRow)
    assert bad.reason == "too_large"


@given(fields=st.dictionaries(FIELDS, JSON, max_size=5), mapped=st.booleans())
@settings(deadline=None, max_examples=300)
def test_any_row_is_an_event_that_the_worker_reads_or_a_fault_that_quotes_nothing(
    fields: dict[str, Any], mapped: bool
) -> None:
    document = {"content": SECRET, "text": SECRET} | fields
    event_map = {"content": "text", "event_id": "id", "target": "@", "kind": "kind || 'message'"}
    (row,) = prepared(document, map=event_map if mapped else {})
    if isinstance(row, BadRow):
        assert row.reason in {"invalid_event", "not_json", "unmapped"}
        assert SECRET not in row.detail
    else:
        assert event(row).event_id


def test_a_map_that_cannot_be_compiled_is_told_with_every_field() -> None:
    with pytest.raises(SettingsError) as error:
        RowEvents({"content": "a[", "nonsense": "b"}, max_bytes=MAX_BYTES)
    assert [it.split(":")[0] for it in error.value.problems] == [
        "input.map.content",
        "input.map.nonsense",
    ]
