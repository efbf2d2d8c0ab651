"""The metrics of the six rooms: how many events, how many failed, how long; and who waits longest.

Where a room begins and ends is said in the meaning of `room_seconds_total`.
"""

from typing import Final

from afterguard.telemetry.metric import Metric

SECONDS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
PUBLISH_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30)

ROOM_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "room_events_total",
        "counter",
        "events",
        "Events that left a room, as they should (`ok`) or not (`error`).",
        "`error` grows: the table of rooms above says what it is in that room",
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
        PUBLISH_SECONDS,
    ),
    Metric(
        "oldest_unjudged_seconds",
        "gauge",
        "seconds",
        "Age of the oldest event that has no verdict yet, by its record's own time; 0 when there "
        "is none. Lane `unread`: of records that are not taken in yet, never less than their age "
        "as far as it is known: since the record before them, or since the partition was assigned.",
        "grows: the worker does not keep up with this lane; add workers, or see `waiting_events`",
        ("topic", "partition", "lane"),
    ),
    Metric(
        "engine_slots",
        "gauge",
        "requests",
        "Requests that the engine works on at once: `engine.max_num_seqs`.",
        "none; engine_requests is to be compared with it",
    ),
    Metric(
        "engine_requests",
        "gauge",
        "requests",
        "Requests of this worker at the engine now; above engine_slots they wait inside it.",
        "below engine_slots while events wait: the worker is held back; see judge_faults_total",
    ),
)
