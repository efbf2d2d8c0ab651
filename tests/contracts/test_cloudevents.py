"""CloudEvents headers both ways, and the trace context that is handed on."""

from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOON

from afterguard.contracts.cloudevents import (
    INTERVENTION,
    Envelope,
    attributes,
    sampled_trace_id,
    stamp,
    trace_context,
)
from afterguard.contracts.records import Headers

PARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ID = UUID(int=7)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def test_an_output_carries_the_required_attributes_in_binary_mode() -> None:
    headers = Envelope(INTERVENTION, "/afterguard/g").headers(ID, subject=b"e-1", time=stamp(NOON))
    assert dict(headers) == {
        "ce_specversion": b"1.0",
        "ce_type": b"dev.afterguard.intervention.v1",
        "ce_source": b"/afterguard/g",
        "ce_id": b"00000000-0000-0000-0000-000000000007",
        "ce_subject": b"e-1",
        "ce_time": b"2026-01-05T12:00:00+00:00",
        "content-type": b"application/json",
    }


@given(texts, texts)
def test_attributes_come_back_as_they_were_written(event_id: str, subject: str) -> None:
    written = Envelope("t", "/s").headers(event_id, subject=subject.encode(), time=stamp(NOON))
    found = attributes(written)
    assert (found["id"], found["subject"]) == (event_id, subject)
    assert datetime.fromisoformat(found["time"]) == NOON


def test_attributes_that_cannot_be_read_are_left_out() -> None:
    headers: Headers = (("ce_id", b"\xff"), ("ce_time", None), ("other", b"x"), ("ce_type", b"t"))
    assert attributes(headers) == {"type": "t"}


def test_a_trace_is_handed_on_with_its_state() -> None:
    headers: Headers = (("x", b"y"), ("traceparent", PARENT), ("tracestate", b"vendor=1"))
    assert trace_context(headers) == headers[1:]


def test_a_trace_without_state_is_handed_on_alone() -> None:
    assert trace_context((("traceparent", PARENT),)) == (("traceparent", PARENT),)


@pytest.mark.parametrize(
    "parent",
    [
        None,
        b"",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + b"0",
        PARENT + b"\n",
        b" " + PARENT,
        b"ff" + PARENT[2:],
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
        b"\xff" * 55,
    ],
)
def test_a_malformed_trace_is_dropped_with_its_state(parent: bytes | None) -> None:
    """W3C Trace Context: a state without a valid parent means nothing."""
    headers: Headers = (("traceparent", parent), ("tracestate", b"vendor=1"))
    assert trace_context(headers) == ()


@pytest.mark.parametrize("state", [None, b"", b"a=1\r\nhost: evil", b"\xff", b"x" * 2_049])
def test_a_malformed_state_is_dropped_and_the_trace_stays(state: bytes | None) -> None:
    """Both reach the HTTP headers of an engine: nobody may smuggle a header in."""
    headers: Headers = (("traceparent", PARENT), ("tracestate", state))
    assert trace_context(headers) == (("traceparent", PARENT),)


def test_a_state_alone_is_no_trace() -> None:
    assert trace_context((("tracestate", b"vendor=1"),)) == ()


@given(st.lists(st.tuples(texts, st.none() | st.binary(max_size=60)), max_size=5))
def test_no_headers_of_others_raise(headers: list[tuple[str, bytes | None]]) -> None:
    found = attributes(tuple(headers))
    handed_on = trace_context(tuple(headers))
    assert all(isinstance(value, str) for value in found.values())
    assert set(handed_on) <= set(headers)


@pytest.mark.parametrize(("flags", "kept"), [("01", True), ("03", True), ("00", False)])
def test_the_trace_of_an_event_is_told_only_if_somebody_keeps_it(flags: str, kept: bool) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    told = sampled_trace_id(f"00-{trace}-00f067aa0ba902b7-{flags}")
    assert told == (trace if kept else None)
