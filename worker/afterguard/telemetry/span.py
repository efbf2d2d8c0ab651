"""A span, in no library's form."""

from typing import Literal, NamedTuple

Kind = Literal["consumer", "internal", "client", "producer"]
Attribute = str | bool | int | tuple[str, ...]
Attributes = dict[str, Attribute]


class Happening(NamedTuple):
    """Something within a span: its name, when, nanoseconds since the epoch, and details."""

    name: str
    at: int
    attributes: Attributes


class Span(NamedTuple):
    """One span, in no library's form.

    Attributes:
        name: Of few values.
        kind: As OpenTelemetry has them.
        span_id: Its own id.
        parent_id: Of the span above; None for the root of a trace.
        began: Nanoseconds since the epoch.
        ended: The same, never before `began`.
        attributes: What is known of it.
        events: What happened within it.
        fault: What went wrong, in words of the contracts; None when nothing did.
    """

    name: str
    kind: Kind
    span_id: int
    parent_id: int | None
    began: int
    ended: int
    attributes: Attributes
    events: tuple[Happening, ...] = ()
    fault: str | None = None
