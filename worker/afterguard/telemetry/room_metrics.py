"""The metrics of the rooms as objects: each counts what leaves it, and how long it was there."""

from collections.abc import Mapping
from typing import Any

from prometheus_client import Counter

from afterguard.telemetry.distribution import Spread
from afterguard.telemetry.room_metric_list import ROOMS
from afterguard.telemetry.tally import Tallies


class RoomTally:
    """What left one room."""

    __slots__ = ("_errors", "_ok", "_seconds")

    def __init__(self, room: str, events: Counter, seconds: Counter, tallies: Tallies) -> None:
        self._ok = tallies.of(events.labels(room, "ok"))
        self._errors = tallies.of(events.labels(room, "error"))
        self._seconds = tallies.of(seconds.labels(room))

    def left(self, seconds: float, events: int = 1) -> None:
        """Count events that left as they should.

        Args:
            seconds: That they were here, all together.
            events: How many.
        """
        self._ok.total += events
        self._seconds.total += seconds

    def failed(self, seconds: float, events: int = 1) -> None:
        """Count events that did not; see `left`."""
        self._errors.total += events
        self._seconds.total += seconds


class RoomMetrics:
    """The six rooms.

    Args:
        made: The metrics of `room_metric_list`, by name.
        tallies: Where the hot ones are added up.
    """

    def __init__(self, made: Mapping[str, Any], tallies: Tallies) -> None:
        self.intake, self.admit, self.judge, self.decide, self.publish, self.settle = (
            RoomTally(room.name, made["room_events_total"], made["room_seconds_total"], tallies)
            for room in ROOMS
        )
        self.publish_seconds: Spread = made["publish_seconds"].labels()
