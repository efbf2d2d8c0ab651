"""The metrics of the six rooms: how many events, how many failed, how long; and who waits longest.

Where a room begins and ends is said here, and on the page that is made of it.
"""

from typing import Final, NamedTuple

from afterguard.telemetry.metric import Metric

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)


class Room(NamedTuple):
    """Where an event is in one room, and what it means that it left that room with an error.

    Attributes:
        name: As the label `room` has it.
        begins: When it enters.
        ends: When it leaves.
        error: What is counted as `error`.
    """

    name: str
    begins: str
    ends: str
    error: str


ROOMS: Final = (
    Room(
        "intake",
        "the batch with its record was handed out",
        "it is decoded and has its place in the ledger",
        "a record that is no event; see `events_rejected_total`",
    ),
    Room(
        "admit",
        "it is taken in",
        "its turn at the judge comes (it waits in its lane until then), or nobody has to judge it",
        "given up in its lane: past its deadline, or shed; see `unasked_events_total`",
    ),
    Room(
        "judge",
        "its turn comes",
        "there are findings under all of its policies: out of the cache, a classifier or the model",
        "a policy in force got no answer: `failed`, `expired`, `truncated` or `unparseable`; see "
        "`verdicts_total`",
    ),
    Room(
        "decide",
        "there are findings",
        "they are merged to a decision",
        "what was found could not be written down as a verdict; its dead letter has the reason "
        "`internal_fault`",
    ),
    Room(
        "publish",
        "it is decided, or rejected",
        "the broker has acknowledged all records about it",
        "the broker refused a record or a transaction; the event is judged again",
    ),
    Room(
        "settle",
        "its records are acknowledged",
        "an offset behind it is committed (under exactly once: at once, in the same transaction)",
        "a commit that failed or that the group refused; the next one takes its events along",
    ),
)

ROOM_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "room_events_total",
        "counter",
        "events",
        "Events that left a room, as they should (`ok`) or not (`error`).",
        "`error` grows: the table of rooms says what it is in that room",
        ("room", "result"),
    ),
    Metric(
        "room_seconds_total",
        "counter",
        "seconds",
        "Time that those events spent in the room, waiting included. Divided by "
        "`room_events_total` it is the mean time in that room.",
        "one room grows and the others do not: it is the narrowest place",
        ("room",),
    ),
    Metric(
        "publish_seconds",
        "histogram",
        "seconds",
        "From decided to acknowledged by the broker, for each event.",
        "grows: the broker is slow, or an intervention waits for an earlier one of its "
        "conversation; see the broker, and `afterguard why`",
        (),
        _SECONDS,
    ),
    Metric(
        "oldest_unjudged_seconds",
        "gauge",
        "seconds",
        "Age of the oldest event that has no verdict yet, by its record's own time; 0 when there "
        "is none. Lane `unread`: of records that are not taken in yet, by the time of the last one "
        "that was, which is at least their age; before the first, since the partition was "
        "assigned.",
        "grows: the worker does not keep up with this lane; add workers, or see `waiting_events`",
        ("topic", "partition", "lane"),
    ),
)
