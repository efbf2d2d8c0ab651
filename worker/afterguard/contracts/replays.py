"""Replayed records: how one names the record that it stands for, and when that is believed.

A record that is put back from the dead letters gets another offset. Ids are made from the place of
the origin all the same, so the record says where that was, in two headers. Anybody who may write to
the topic could write them, too. So they are believed only of an earlier record of the very same
partition: nobody can take the ids of a record that is still to come. And the number of the replay,
which is at least 1, goes into the `intervention_id`: no replay, true or forged, can have that of a
record's first intervention and so make consumers skip it.
"""

import re
from typing import Final, NamedTuple
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.records import Headers, InputRecord

ORIGIN_HEADER: Final = "afterguard-origin"
REPLAY_HEADER: Final = "afterguard-replay"
_OURS: Final = frozenset({ORIGIN_HEADER, REPLAY_HEADER})
_PLACE: Final = re.compile(rb"([a-zA-Z0-9._-]{1,249})/(0|[1-9]\d{0,9})/(0|[1-9]\d{0,18})")
_NUMBER: Final = re.compile(rb"[1-9]\d{0,5}")


class Origin(NamedTuple):
    """Where a replayed record first stood, and its how-manieth replay this is, from 1."""

    coordinates: Coordinates
    replay: int


class Replayed(BaseModel):
    """The note that a dead letter was put back; written beside it, in one transaction with it."""

    model_config = ConfigDict(extra="ignore", title="Replayed")

    dead_letter_id: UUID = Field(description="Of the letter, or of its first part.")
    origin: str = Field(description="`topic/partition/offset` that ids are made from.")
    replay: int = Field(ge=1, description="Counts the replays of this origin, from 1.")
    to_topic: str
    replayed_at: AwareDatetime
    forced: bool = Field(default=False, description="Whether it had been replayed before.")


def claims_origin(record: InputRecord) -> bool:
    """Whether a record says that it is a replay, rightly or not."""
    return any(name in _OURS for name, _ in record.headers)


def origin_of(record: InputRecord) -> Origin | None:
    """The origin of a record that was put back; None when it claims none, or none that can be."""
    told = [(name, value or b"") for name, value in record.headers if name in _OURS]
    if sorted(name for name, _ in told) != [ORIGIN_HEADER, REPLAY_HEADER]:
        return None
    headers = dict(told)
    place = _PLACE.fullmatch(headers[ORIGIN_HEADER])
    if place is None or not _NUMBER.fullmatch(headers[REPLAY_HEADER]):
        return None
    origin = Coordinates(place[1].decode(), int(place[2]), int(place[3]))
    here = record.coordinates
    if origin[:2] != here[:2] or origin.offset >= here.offset:
        return None
    return Origin(origin, int(headers[REPLAY_HEADER]))


def with_origin(headers: Headers, origin: Origin) -> Headers:
    """The headers of a record that is put back."""
    return (
        *without_origin(headers),
        (ORIGIN_HEADER, str(origin.coordinates).encode()),
        (REPLAY_HEADER, str(origin.replay).encode()),
    )


def without_origin(headers: Headers) -> Headers:
    """The headers as the producer wrote them."""
    return tuple((name, value) for name, value in headers if name not in _OURS)
