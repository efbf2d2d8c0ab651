"""The dead letter: an input that could not be judged, kept whole."""

from base64 import b64decode, b64encode
from typing import Annotated
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
)

from afterguard.contracts.words import Outcome


def _from_wire(value: object) -> object:
    return b64decode(value, validate=True) if isinstance(value, str) else value


# Standard base64 (RFC 4648, section 4); pydantic's own is the URL-safe alphabet, which the
# default decoders of other languages refuse.
WireBytes = Annotated[
    bytes,
    BeforeValidator(_from_wire),
    PlainSerializer(lambda raw: b64encode(raw).decode("ascii"), when_used="json"),
    WithJsonSchema({"type": "string", "contentEncoding": "base64"}),
]


class DeadLetter(BaseModel):
    """The original bytes of one record, or one part of them, with the reason it is here.

    A record larger than one letter is spread over `parts` letters; their `value` fields in the
    order of `part` give the original again.
    """

    model_config = ConfigDict(extra="ignore", title="DeadLetter")

    dead_letter_id: UUID
    topic: str
    partition: int
    offset: int
    outcome: Outcome = Field(description="`rejected` for bad input, `failed` when judging gave up.")
    reason: str = Field(description="A code: see the reject reasons and the reasons of verdicts.")
    detail: str = Field(description="Names fields and faults; never carries message text.")
    attempts: int = Field(ge=0)
    event_id: str | None = Field(default=None, description="When the record could be read so far.")
    key: WireBytes | None = None
    value: WireBytes | None = Field(description="Original bytes; None for a tombstone.")
    headers: list[tuple[str, WireBytes | None]] = []
    original_size: int = Field(ge=0, description="Bytes of the whole original value.")
    part: int = Field(default=0, ge=0)
    parts: int = Field(default=1, ge=1)
    origin: str | None = Field(
        default=None,
        description="`topic/partition/offset` of the record that this one was a replay of.",
    )
    replay: int = Field(default=0, ge=0, description="Which replay it was; 0 for none.")
    left_out: bool = Field(
        default=False,
        description="Whether the key and the values of headers were too large to be kept.",
    )
    recorded_at: AwareDatetime
