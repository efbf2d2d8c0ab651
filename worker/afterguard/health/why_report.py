"""What a worker answers when it is asked why a commit does not advance.

Coordinates, ages and counts alone: no text of a message, no reasoning.
"""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from afterguard.contracts.words import Lane


class Room(StrEnum):
    """Where an event is between being taken in and being committed."""

    LANE = "lane"
    JUDGE = "judge"
    ORDER = "order"
    PUBLISH = "publish"
    ACKNOWLEDGEMENT = "acknowledgement"
    COMMIT = "commit"
    NOWHERE = "nowhere"


class Oldest(BaseModel):
    """The record that holds a partition's commit back.

    Attributes:
        offset: Where it stands in the log.
        room: Where it is.
        in_room_s: For how long it has been there, seconds.
        age_s: Since it was taken in, seconds.
        still_s: For how long it has been the oldest, seconds.
        lane: How urgent it is; None for a record that is no event.
        attempts: How often its most stubborn request was tried.
        event_id: Of the event, while it waits for its judgement.
    """

    model_config = ConfigDict(frozen=True)

    offset: int
    room: Room
    in_room_s: float
    age_s: float
    still_s: float
    lane: Lane | None = None
    attempts: int = 0
    event_id: str | None = None


class PartitionReport(BaseModel):
    """How one partition stands.

    Attributes:
        position: The offset that may be committed; None before anything was settled.
        committed: The offset that is committed, as far as this worker has committed it.
        uncommitted_s: For how long the commit has lagged behind `position`; None when it does not.
        oldest: What holds the commit back; None when nothing is in flight.
        rooms: How many unsettled records are where.
        settled_behind: Records that are settled and cannot be committed before the oldest is.
        lag: Records that are not taken in yet; None when unknown.
        stuck: Whether the oldest has stood still for longer than `delivery.stuck_after_s`.
        admitted: Records taken in under this assignment; `settled` plus `in_flight`.
    """

    model_config = ConfigDict(frozen=True)

    topic: str
    partition: int
    position: int | None
    committed: int | None
    uncommitted_s: float | None
    oldest: Oldest | None
    rooms: dict[Room, int]
    settled_behind: int
    lag: int | None
    stuck: bool
    admitted: int
    settled: int
    in_flight: int


class WhyReport(BaseModel):
    """How a worker stands.

    Attributes:
        intake_held: Why nothing is taken in; empty when it is.
        tokens: Estimated tokens in flight.
        events: Events in flight.
        stuck_after_s: The setting `delivery.stuck_after_s`.
        partitions: Those that are ours and were asked for.
    """

    model_config = ConfigDict(frozen=True)

    started: bool
    draining: bool
    intake_held: tuple[str, ...]
    tokens: int
    token_limit: int
    events: int
    event_limit: int
    stuck_after_s: float
    partitions: tuple[PartitionReport, ...]
