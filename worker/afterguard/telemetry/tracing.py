"""Tracing: which events leave spans, and when these are made.

Whether an event is sampled is decided once, when its record is taken in; all of its spans are made
when it is settled. Work that is given back to another worker leaves none here: the worker that
judges it has them.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

from afterguard.contracts.cloudevents import trace_context
from afterguard.contracts.digests import digest_of, in_share
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import InputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.telemetry.span import Span
from afterguard.telemetry.spans import Names, spans_of
from afterguard.telemetry.trail import TraceContext, Trail

_log = structlog.get_logger(__name__)

_SAMPLED: Final = 0x01
_ID_BYTES: Final = 16
_DRAWN_BYTES: Final = 8


class Tracing(Protocol):
    """Follows events."""

    def begin(self, record: InputRecord) -> Trail | None:
        """A record is taken in; None when nobody follows it. Returns at once."""
        ...

    def end(
        self, trail: Trail, audit: Sequence[AuditRecord], intervention: Intervention | None
    ) -> None:
        """The log has all that is written about an event. Returns at once, never raises."""
        ...


class NoTracing:
    """Follows nothing."""

    def begin(self, record: InputRecord) -> Trail | None:
        """See `Tracing.begin`: None."""
        del record
        return None

    def end(
        self, trail: Trail, audit: Sequence[AuditRecord], intervention: Intervention | None
    ) -> None:
        """See `Tracing.end`: nothing."""


NO_TRACING: Final = NoTracing()


class SampledTracing:
    """Follows the events that their producer samples, and a share of the others.

    Args:
        hand_in: Takes the spans of one event and where they stand; returns at once.
        names: Of the worker's group and topic.
        share: Of the events without a trace context, those that are followed.
    """

    def __init__(
        self,
        hand_in: Callable[[TraceContext, Sequence[Span]], None],
        names: Names,
        *,
        share: float,
    ) -> None:
        self._hand_in, self._names, self._share = hand_in, names, share
        self._fault_logged = False

    def begin(self, record: InputRecord) -> Trail | None:
        """See `Tracing.begin`."""
        context = context_of(record, self._share)
        return None if context is None else Trail(context, record.coordinates)

    def end(
        self, trail: Trail, audit: Sequence[AuditRecord], intervention: Intervention | None
    ) -> None:
        """See `Tracing.end`."""
        if trail.told:
            return
        trail.told = True
        try:
            spans = spans_of(trail, audit, intervention, self._names, ended=trail.now())
            self._hand_in(trail.context, spans)
        except Exception as error:  # noqa: BLE001 (a trace must not cost an event its settling)
            if not self._fault_logged:
                self._fault_logged = True
                # The text of an unknown error may quote the message, so only its type is told.
                _log.error("spans could not be made; told once", error=type(error).__name__)


def context_of(record: InputRecord, share: float) -> TraceContext | None:
    """Where the event of a record stands in its trace; None when it is not sampled.

    A trace that begins here has an id made of the record's place and time, so that a record that
    is read again, by whichever worker, is drawn alike and continues the same trace.

    Args:
        record: As it was read.
        share: Of the records without a trace context, those that are sampled.
    """
    if record.headers and (told := trace_context(record.headers)):
        # Well-formed, so each part has its place.
        parent = told[0][1] or b""
        flags = int(parent[53:], 16)
        if not flags & _SAMPLED:
            return None
        state = told[1][1] if len(told) > 1 else None
        return TraceContext(int(parent[3:35], 16), int(parent[36:52], 16), flags, state)
    if share <= 0:
        return None
    place = f"{record.coordinates}@{record.timestamp_ms}"
    digest = digest_of(place, size=_ID_BYTES, person=b"trace")
    if not in_share(digest[-_DRAWN_BYTES:], share):
        return None
    return TraceContext(int.from_bytes(digest, "big") or 1, None, _SAMPLED, None)
