"""Lanes: which waiting event goes to the engine next.

`live` before `standard` before `backfill`. vLLM does not age what waits, so a busy live lane
would starve the others for ever: here each `ageing_s` of waiting lifts an event by one lane.
Ageing needs no clock and no re-sorting: an event's place is its virtual arrival,
`arrival + lane * ageing_s`, which orders any two events the same way at every later moment.
"""

from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from afterguard.contracts.words import Lane

Waiting = TypeVar("Waiting")

_RANK = {Lane.LIVE: 0, Lane.STANDARD: 1, Lane.BACKFILL: 2}


def lane_rank(lane: Lane) -> int:
    """0 for the most urgent lane; handed to the engine as its priority."""
    return _RANK[lane]


class Lanes(Generic[Waiting]):
    """What waits for the engine, the most urgent first.

    Args:
        ageing_s: Waiting this long makes up for one lane.
    """

    def __init__(self, ageing_s: float) -> None:
        self._ageing_s = ageing_s
        self._heap: list[tuple[float, int, Waiting]] = []
        self._arrival = count()

    def push(self, waiting: Waiting, lane: Lane, now: float) -> None:
        """Let an event wait. `now` is monotonic seconds and never goes back."""
        place = now + _RANK[lane] * self._ageing_s
        heappush(self._heap, (place, next(self._arrival), waiting))

    def pop(self) -> Waiting:
        """The most urgent event.

        Raises:
            IndexError: Nothing waits.
        """
        return heappop(self._heap)[2]

    def __len__(self) -> int:
        return len(self._heap)
