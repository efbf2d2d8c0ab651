"""Shedding: what has waited too long in an overload is given up, the least urgent lane first.

What waits holds the budget, and while the budget is used up nothing more is read: an old backlog
would keep the live events behind it in the log. Each event that is given up gets its record; none
of them counts as safe.
"""

from collections.abc import Mapping
from typing import TypeVar

from afterguard.contracts.words import Lane
from afterguard.flow.lanes import Lanes, lane_place, urgency

Waiting = TypeVar("Waiting")


class Shedding:
    """Says what to give up.

    Args:
        after_s: For each lane, how long an event may wait in an overload, seconds; None for as
            long as it takes.
        above: An overload is when more events wait than this.
        ageing_s: As the lanes have it.
    """

    def __init__(
        self, after_s: Mapping[Lane, float | None], *, above: int, ageing_s: float
    ) -> None:
        ages = [(lane, age) for lane, age in after_s.items() if age is not None]
        self._ages = sorted(ages, key=lambda it: urgency(it[0]), reverse=True)
        self._above, self._ageing_s = above, ageing_s

    def victims(self, lanes: Lanes[Waiting], now: float, most: int) -> list[Waiting]:
        """Take out what is given up: until no more wait than are allowed to.

        Args:
            lanes: What waits.
            now: Monotonic seconds.
            most: No more than this at once.
        """
        found: list[Waiting] = []
        for lane, age in self._ages:
            room = min(len(lanes) - self._above, most - len(found))
            if room <= 0:
                break
            found += lanes.before(lane, lane_place(lane, now - age, self._ageing_s), room)
        return found


NO_SHEDDING = Shedding({}, above=0, ageing_s=1.0)
"""Gives nothing up."""
