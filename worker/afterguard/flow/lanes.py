"""Lanes: which waiting event goes to the engine next.

`live` before `standard` before `backfill`. vLLM does not age what waits, so a busy live lane
would starve the others for ever: here each `ageing_s` of waiting lifts an event by one lane.
Ageing needs no clock and no re-sorting: an event's place is its virtual arrival,
`arrival + lane * ageing_s`, which orders any two events the same way at every later moment.

The lane that holds the lowest place has its turn. Of that lane the event goes that is due first;
it changes places with the one whose turn it was. An event without a deadline is due some minutes
after its place. So nothing waits for ever: what comes after an event is due does not pass it in
its lane, hence its place stays below `due + lane * ageing_s`, and what comes to other lanes later
than that stands behind it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush, nsmallest
from itertools import chain, count
from typing import Generic, NamedTuple, TypeVar

from afterguard.contracts.words import Lane

Waiting = TypeVar("Waiting")

UNDATED_DUE_S = 600.0
"""An event without a deadline is due so long after its place, seconds."""

_RANK = {Lane.LIVE: 0, Lane.STANDARD: 1, Lane.BACKFILL: 2}
_LOOSE = 64


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


class Turn(NamedTuple, Generic[Waiting]):
    """What goes next, and at which place."""

    waiting: Waiting
    place: float


class _Place(Generic[Waiting]):
    """One place in a lane, and who holds it now; nobody once its event left."""

    __slots__ = ("place", "seat")

    def __init__(self, place: float, seat: "_Seat[Waiting]") -> None:
        self.place = place
        self.seat: _Seat[Waiting] | None = seat


class _Seat(Generic[Waiting]):
    """One waiting event."""

    __slots__ = ("arrival", "due", "held", "number", "waiting")

    def __init__(self, waiting: Waiting, number: int, place: float, due: float) -> None:
        self.waiting, self.number = waiting, number
        self.arrival, self.due = place, due
        self.held = _Place(place, self)


class _Lane(Generic[Waiting]):
    """One lane: its events by when they are due, and their places in order."""

    def __init__(self) -> None:
        self._dated: list[tuple[float, int, _Seat[Waiting]]] = []
        self._undated: deque[_Seat[Waiting]] = deque()
        self._places: deque[_Place[Waiting]] = deque()
        self._number = count()

    def push(self, waiting: Waiting, place: float, deadline: float | None) -> None:
        number = next(self._number)
        if deadline is None:
            seat = _Seat(waiting, number, place, place + UNDATED_DUE_S)
            self._undated.append(seat)
        else:
            seat = _Seat(waiting, number, place, deadline)
            heappush(self._dated, (deadline, number, seat))
        self._places.append(seat.held)

    def lowest(self) -> float | None:
        """The lowest place; None when nothing waits."""
        places = self._places
        while places and places[0].seat is None:
            places.popleft()
        return places[0].place if places else None

    def pop(self) -> Waiting:
        """Take out what is due first; it goes at the lowest place, which `lowest` has just told."""
        dated, undated = self._dated, self._undated
        if dated and not (undated and undated[0].due < dated[0][0]):
            going = heappop(dated)[2]
        else:
            going = undated.popleft()
        whose = self._places.popleft().seat
        if whose is not None and whose is not going:
            whose.held, going.held.seat = going.held, whose
        else:
            # No seat refers to itself: what has left is freed at once.
            going.held.seat = None
        return going.waiting

    def overdue(self, now: float, most: int) -> list[Waiting]:
        """Take out what is past its deadline."""
        found: list[Waiting] = []
        while self._dated and self._dated[0][0] <= now and len(found) < most:
            found.append(self._leave(heappop(self._dated)[2]))
        return found

    def before(self, place: float, most: int) -> list[Waiting]:
        """Take out what came at a lower place, the oldest first."""
        came = (it for it in self._seats() if it.arrival < place)
        old = nsmallest(most, came, key=lambda it: it.number)
        if not old:
            return []
        gone = {seat.number for seat in old}
        self._keep(lambda seat: seat.number not in gone)
        return [it.waiting for it in old]

    def keep(self, wanted: Callable[[Waiting], bool]) -> None:
        self._keep(lambda seat: wanted(seat.waiting))

    def __iter__(self) -> Iterator[Waiting]:
        return (seat.waiting for seat in self._seats())

    def __len__(self) -> int:
        return len(self._dated) + len(self._undated)

    def _seats(self) -> Iterator[_Seat[Waiting]]:
        return chain((it[2] for it in self._dated), self._undated)

    def _leave(self, seat: _Seat[Waiting]) -> Waiting:
        seat.held.seat = None
        if len(self._places) > 2 * len(self) + _LOOSE:
            self._places = deque(it for it in self._places if it.seat is not None)
        return seat.waiting

    def _keep(self, wanted: Callable[[_Seat[Waiting]], bool]) -> None:
        for seat in self._seats():
            if not wanted(seat):
                seat.held.seat = None
        self._dated = [it for it in self._dated if it[2].held.seat is not None]
        heapify(self._dated)
        self._undated = deque(it for it in self._undated if it.held.seat is not None)
        self._places = deque(it for it in self._places if it.seat is not None)


class Lanes(Generic[Waiting]):
    """What waits for the engine, the most urgent first."""

    def __init__(self) -> None:
        self._lanes: dict[Lane, _Lane[Waiting]] = {lane: _Lane() for lane in Lane}
        self._count = 0

    def push(self, waiting: Waiting, lane: Lane, place: float, deadline: float | None) -> None:
        """Let an event wait.

        Args:
            waiting: The event.
            lane: Its lane; events enter it in the order of their places.
            place: Its `lane_place`.
            deadline: Monotonic seconds; None for none.
        """
        self._lanes[lane].push(waiting, place, deadline)
        self._count += 1

    def __iter__(self) -> Iterator[Waiting]:
        """What waits, lane by lane."""
        return (waiting for lane in self._lanes.values() for waiting in lane)

    def pop(self) -> Turn[Waiting]:
        """The most urgent event.

        Raises:
            IndexError: Nothing waits.
        """
        next_place, next_lane = 0.0, None
        for lane in self._lanes.values():
            place = lane.lowest()
            if place is not None and (next_lane is None or place < next_place):
                next_place, next_lane = place, lane
        if next_lane is None:
            raise IndexError("nothing waits")
        self._count -= 1
        return Turn(next_lane.pop(), next_place)

    def overdue(self, now: float, most: int) -> list[Waiting]:
        """Take out what is past its deadline.

        Args:
            now: Monotonic seconds.
            most: No more than this.
        """
        found: list[Waiting] = []
        for lane in self._lanes.values():
            found += lane.overdue(now, most - len(found))
        self._count -= len(found)
        return found

    def before(self, lane: Lane, place: float, most: int) -> list[Waiting]:
        """Take out what came to a lane at a lower place, the oldest first.

        Args:
            lane: The lane.
            place: Of its arrival, see `lane_place`.
            most: No more than this.
        """
        found = self._lanes[lane].before(place, most)
        self._count -= len(found)
        return found

    def keep(self, wanted: Callable[[Waiting], bool]) -> None:
        """Drop what is not wanted any more."""
        for lane in self._lanes.values():
            lane.keep(wanted)
        self._count = sum(map(len, self._lanes.values()))

    def __len__(self) -> int:
        return self._count
