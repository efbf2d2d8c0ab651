"""Which events leave spans: the producer decides, and chance that falls alike for the others."""

import pytest
from structlog.testing import capture_logs
from tests.samples import input_record
from tests.telemetry.traced_worker import PARENT, SAMPLED, TRACE, UNSAMPLED

from afterguard.contracts.records import InputRecord
from afterguard.telemetry.spans import Names
from afterguard.telemetry.tracing import NO_TRACING, SampledTracing, context_of
from afterguard.telemetry.trail import TraceContext

MANY = 4_000


def told(parent: bytes, state: bytes | None = None) -> InputRecord:
    """A record whose producer says this."""
    headers: tuple[tuple[str, bytes | None], ...] = (("traceparent", parent),)
    if state is not None:
        headers = (*headers, ("tracestate", state))
    return input_record(headers=headers)


def records() -> list[InputRecord]:
    return [input_record(offset=number, timestamp_ms=1_700_000_000_000) for number in range(MANY)]


def test_an_event_that_its_producer_samples_is_followed_in_its_trace() -> None:
    context = TraceContext(int(TRACE, 16), int(PARENT, 16), 1, b"a=1")
    assert context_of(told(SAMPLED, b"a=1"), 0.0) == context


def test_an_event_that_its_producer_does_not_sample_is_not_followed_whatever_the_share() -> None:
    assert context_of(told(UNSAMPLED), 1.0) is None


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"00",
        SAMPLED.upper(),
        SAMPLED + b"-00",
        b"ff" + SAMPLED[2:],
        SAMPLED.replace(b"4", b"\xff"),
    ],
)
def test_a_context_that_is_none_counts_as_none(malformed: bytes) -> None:
    context = context_of(told(malformed, b"a=1"), 1.0)
    assert context is not None
    assert (context.parent_id, context.state) == (None, None)
    assert context_of(told(malformed), 0.0) is None


def test_a_share_of_the_events_without_a_context_is_followed() -> None:
    followed = sum(context_of(it, 0.25) is not None for it in records())
    # Six standard deviations of so many draws.
    assert abs(followed - MANY * 0.25) < 6 * (MANY * 0.25 * 0.75) ** 0.5


def test_a_record_that_is_read_again_is_drawn_alike_and_goes_on_in_the_same_trace() -> None:
    assert [context_of(it, 0.25) for it in records()] == [context_of(it, 0.25) for it in records()]


def test_a_larger_share_follows_all_that_a_smaller_one_did() -> None:
    few = {it.coordinates for it in records() if context_of(it, 0.1)}
    more = {it.coordinates for it in records() if context_of(it, 0.3)}
    assert few < more


def test_records_at_the_same_place_of_two_clusters_have_two_traces() -> None:
    here, there = (context_of(input_record(timestamp_ms=time), 1.0) for time in (1, 2))
    assert here != there


def test_nothing_is_followed_while_tracing_is_off() -> None:
    assert NO_TRACING.begin(told(SAMPLED)) is None


def test_the_spans_of_an_event_are_handed_in_once() -> None:
    handed: list[TraceContext] = []
    tracing = SampledTracing(lambda context, _: handed.append(context), Names("g", "i"), share=0)
    trail = tracing.begin(told(SAMPLED))
    assert trail is not None
    tracing.end(trail, (), None)
    tracing.end(trail, (), None)
    assert len(handed) == 1


def test_a_fault_in_making_spans_is_told_once_by_its_type_and_harms_nobody() -> None:
    def refuse(_: TraceContext, __: object) -> None:
        raise ValueError("quotes a message")

    tracing = SampledTracing(refuse, Names("g", "i"), share=0)
    with capture_logs() as logs:
        for _ in range(3):
            trail = tracing.begin(told(SAMPLED))
            assert trail is not None
            tracing.end(trail, (), None)
    assert [it["error"] for it in logs] == ["ValueError"]
    assert "quotes" not in str(logs)
