"""The trail of one sampled event: what happened to it in the rooms, and when.

The rooms note moments here; spans are made of them once, when the event is settled. An event that
is not sampled has no trail, so that the way of the others costs them nothing but asking for it.
"""

from collections.abc import Callable, Mapping, Sequence
from random import getrandbits
from time import monotonic, time_ns
from typing import Final, NamedTuple

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.policies import Policy
from afterguard.contracts.records import Headers
from afterguard.contracts.words import Effort, Lane

_PARENT: Final = "traceparent"
# What W3C Trace Context has flags for: sampled, and that the trace id is random.
_SAMPLED: Final = 0x01
_KNOWN_FLAGS: Final = 0x03


class TraceContext(NamedTuple):
    """Where an event stands in its trace.

    Attributes:
        trace_id: 16 bytes, never 0.
        parent_id: The producer's span, 8 bytes; None where the trace begins with us.
        flags: As the producer had them; always sampled.
        state: The producer's `tracestate`, handed on and read by nobody here.
    """

    trace_id: int
    parent_id: int | None
    flags: int
    state: bytes | None


class Cost(NamedTuple):
    """Tokens of one answer."""

    prompt: int = 0
    cached: int = 0
    written: int = 0


class Look:
    """One question to the model about the event.

    Attributes:
        span_id: Of its span; the engine's own spans are its children.
        policies: That it asks about; several where they share a prompt.
        effort: How long the model may reason.
        second: Whether it is a second look.
        began: When it was put, seconds of the trail's clock.
        ended: When it was answered or given up; None when it was cut off.
        attempts: Requests to the engine, those of earlier lives included.
        cost: Of the answer.
        fault: Why there is no complete answer; None when there is one.
        retries: When it was tried again, and what the fault before was.
    """

    __slots__ = (
        "_trail",
        "attempts",
        "began",
        "cost",
        "effort",
        "ended",
        "fault",
        "policies",
        "retries",
        "second",
        "span_id",
    )

    def __init__(
        self, trail: "Trail", policies: Sequence[Policy], effort: Effort, *, second: bool
    ) -> None:
        self._trail = trail
        self.span_id = new_span_id()
        self.policies, self.effort, self.second = policies, effort, second
        self.began, self.ended = trail.now(), None  # type: float, float | None
        self.attempts, self.cost, self.fault = 0, Cost(), None  # type: int, Cost, str | None
        self.retries: list[tuple[float, str]] = []

    def headers(self, beside: Mapping[str, str] | None) -> dict[str, str]:
        """The trace context for the engine.

        Args:
            beside: As it would be without this span; its state is kept.
        """
        return {**(beside or {}), _PARENT: self._trail.parent_of(self.span_id).decode()}

    def tried_again(self, fault: str) -> None:
        """The engine did not answer, and is asked again."""
        self.retries.append((self._trail.now(), fault))

    def answered(self, attempts: int, cost: Cost, fault: str | None) -> None:
        """The question came to its end."""
        self.ended = self._trail.now()
        self.attempts, self.cost, self.fault = attempts, cost, fault


class Trail:
    """What happened to one event.

    Args:
        context: Where it stands in its trace.
        place: The record.
        clock: Monotonic seconds.
        wall: Nanoseconds since the epoch; read once, so that no step of the clock bends a span.

    Attributes:
        span_id: Of the span that all others of this worker are below.
        intervention_id: Of the span that the platform's handling goes on from.
        began: When the worker took the record, seconds of the clock.
        lane: How urgent the event is; None for a record that is no event.
        looks: Questions to the model, in the order in which they were put.
        read_again: When the record was read again.
        deciding: When the last finding was there; None before.
        decided: When the decision was there; None before.
        sent: When the last record about it was handed to the log; None before.
        letter: Why it goes to the dead letters; None when it does not.
        told: Whether its spans were made.
    """

    def __init__(
        self,
        context: TraceContext,
        place: Coordinates,
        *,
        clock: Callable[[], float] = monotonic,
        wall: Callable[[], int] = time_ns,
    ) -> None:
        self.context, self.place, self.now = context, place, clock
        self.span_id, self.intervention_id = new_span_id(), new_span_id()
        self._wall, self.began = wall(), clock()
        self.lane: Lane | None = None
        self.looks: list[Look] = []
        self.read_again: list[float] = []
        self.deciding: float | None = None
        self.decided: float | None = None
        self.sent: float | None = None
        self.letter: str | None = None
        self.told = False

    def look(self, policies: Sequence[Policy], effort: Effort, *, second: bool) -> Look:
        """A question is put to the model."""
        look = Look(self, policies, effort, second=second)
        self.looks.append(look)
        return look

    def read_anew(self) -> None:
        """The record was read again after its partition had gone and come back."""
        self.read_again.append(self.now())

    def conclude(self, deciding: float, decided: float) -> None:
        """There is a decision; for work that is said again, the last one counts.

        Args:
            deciding: When the last finding was there, seconds of the clock.
            decided: When the decision was there.
        """
        self.deciding, self.decided = deciding, decided

    def hand_over(self) -> None:
        """A record about the event is handed to the log; the last one counts."""
        self.sent = self.now()

    def nanoseconds(self, moment: float) -> int:
        """A moment of the clock as nanoseconds since the epoch."""
        return self._wall + round((moment - self.began) * 1e9)

    def parent_of(self, span_id: int) -> bytes:
        """The `traceparent` of what comes below one of our spans."""
        context = self.context
        flags = context.flags & _KNOWN_FLAGS | _SAMPLED
        return b"00-%032x-%016x-%02x" % (context.trace_id, span_id, flags)

    def below(self, span_id: int) -> Headers:
        """The trace context of an output, whose reader goes on below one of our spans."""
        handed_on: Headers = ((_PARENT, self.parent_of(span_id)),)
        state = self.context.state
        return handed_on if state is None else (*handed_on, ("tracestate", state))


def new_span_id() -> int:
    """An id that no other span of the trace has; 0 would be none."""
    return getrandbits(64) or 1
