"""Lanes: which waiting event goes to the engine next.

`live` before `standard` before `backfill`. vLLM does not age what waits, so a busy live lane
would starve the others for ever: here each `ageing_s` of waiting lifts an event by one lane.
Ageing needs no clock and no re-sorting: an event's place is its virtual arrival,
`arrival + lane * ageing_s`, which orders any two events the same way at every later moment.
"""

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from afterguard.contracts.words import Lane

Waiting = TypeVar("Waiting")

_RANK = {Lane.LIVE: 0, Lane.STANDARD: 1, Lane.BACKFILL: 2}


def urgency(lane: Lane) -> int:
    """The lane's rank; the most urgent is 0."""
    return _RANK[lane]


def lane_place(lane: Lane, now: float, ageing_s: float) -> float:
    """An event's place among all that wait: lower goes first.

    Args:
        lane: The event's lane.
        now: When it arrived, monotonic seconds.
        ageing_s: Waiting this long makes up for one lane.
    """
    return now + _RANK[lane] * ageing_s


def engine_priority(place: float) -> int:
    """The place as the engine's integer priority, in tenths of a second."""
    return int(place * 10)


class Lanes(Generic[Waiting]):
    """What waits for the engine, the most urgent first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Waiting]] = []
        self._arrival = count()

    def push(self, waiting: Waiting, place: float) -> None:
        """Let an event wait at its `lane_place`."""
        heappush(self._heap, (place, next(self._arrival), waiting))

    def pop(self) -> Waiting:
        """The most urgent event.

        Raises:
            IndexError: Nothing waits.
        """
        return heappop(self._heap)[2]

    def keep(self, wanted: Callable[[Waiting], bool]) -> None:
        """Drop what is not wanted any more."""
        self._heap = [it for it in self._heap if wanted(it[2])]
        heapify(self._heap)

    def __iter__(self) -> Iterator[Waiting]:
        return (it[2] for it in self._heap)

    def __len__(self) -> int:
        return len(self._heap)
