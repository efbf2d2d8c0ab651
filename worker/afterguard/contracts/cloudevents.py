"""CloudEvents 1.0, Kafka binary mode: attributes as `ce_*` headers, the data as the value.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from afterguard.contracts.records import Headers

CHAT_EVENT: Final = "dev.afterguard.chat.event.v1"
AUDIT_RECORD: Final = "dev.afterguard.verdict.v1"
INTERVENTION: Final = "dev.afterguard.intervention.v1"
DEAD_LETTER: Final = "dev.afterguard.dead-letter.v1"
REPLAYED: Final = "dev.afterguard.dead-letter.replayed.v1"

# Version ff and ids of zeros are invalid (W3C Trace Context, 3.2.2).
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_SAMPLED: Final = 0x01
# Both end up in HTTP headers of an engine: no line break may pass.
_TRACESTATE = re.compile(rb"[\t\x20-\x7e]{1,2048}")


class Envelope:
    """Writes the headers of one kind of output; what never changes is encoded once.

    Args:
        ce_type: The event type, such as `INTERVENTION`.
        source: The URI reference of this worker's group, such as `/afterguard/moderation`.
    """

    __slots__ = ("_fixed",)

    def __init__(self, ce_type: str, source: str) -> None:
        self._fixed: Headers = (
            ("ce_specversion", b"1.0"),
            ("ce_type", ce_type.encode()),
            ("ce_source", source.encode()),
            ("content-type", b"application/json"),
        )

    def headers(
        self, event_id: UUID | str, *, subject: bytes, time: bytes, trace: Headers = ()
    ) -> Headers:
        """The headers of one output.

        Args:
            event_id: The output's own id.
            subject: The chat event's id.
            time: RFC 3339, such as `stamp` gives.
            trace: W3C trace context.
        """
        return (
            *self._fixed,
            ("ce_id", str(event_id).encode()),
            ("ce_subject", subject),
            ("ce_time", time),
            *trace,
        )


def stamp(time: datetime) -> bytes:
    """The time as the `ce_time` attribute has it (RFC 3339)."""
    return time.isoformat().encode()


def attributes(headers: Headers) -> dict[str, str]:
    """The CloudEvents attributes among the headers, unprefixed; undecodable ones left out."""
    found: dict[str, str] = {}
    for name, value in headers:
        if name.startswith("ce_") and value is not None:
            try:
                found[name[3:]] = value.decode("utf-8")
            except UnicodeDecodeError:
                continue
    return found


def trace_context(headers: Headers) -> Headers:
    """The W3C trace context to hand on: a well-formed `traceparent` and its `tracestate`.

    A malformed `traceparent` is dropped together with its state (W3C Trace Context, 3.2.2.5); a
    malformed `tracestate` is dropped alone.
    """
    parent = _first(headers, "traceparent")
    if parent is None or not _TRACEPARENT.fullmatch(parent):
        return ()
    state = _first(headers, "tracestate")
    handed_on: Headers = (("traceparent", parent),)
    if state is None or not _TRACESTATE.fullmatch(state):
        return handed_on
    return (*handed_on, ("tracestate", state))


def sampled_trace_id(traceparent: str) -> str | None:
    """The trace that a well-formed `traceparent` belongs to; None when nobody keeps that trace."""
    return traceparent[3:35] if int(traceparent[53:], 16) & _SAMPLED else None


def _first(headers: Iterable[tuple[str, bytes | None]], name: str) -> bytes | None:
    return next((value for key, value in headers if key == name), None)
