"""Suspects: what was at the engine when it died goes there again with fewer and fewer others.

A request that kills the engine, or its worker, cannot be told from those that were beside it. So
each death narrows the circle: a request with so many deaths behind it shares the engine with at
most so many others, and before its last chance it is alone. Only what was alone is condemned.

Two properties follow, whatever the killers are, and are tested as such. A death has at least one
killer in it, and a killer is condemned at its `quarantine_after`-th, so there are at most
`killers * quarantine_after` deaths. The last of them falls on one that was alone, so no innocent
is ever condemned for another's deed.
"""

import asyncio
from collections import Counter, deque
from heapq import heappop, heappush
from itertools import count


def together(deaths: int, *, crowd: int, quarantine_after: int) -> int:
    """How many requests may be at the engine beside and with one that has so many deaths.

    Falls from the crowd to one in equal ratios: with 512 and three deaths, 512, 22, 1.

    Args:
        deaths: Behind this request.
        crowd: How many there may be without a suspect.
        quarantine_after: Deaths after which a request is condemned; 2 or more.
    """
    steps = quarantine_after - 1
    if deaths >= steps:
        return 1
    return max(1, int(crowd ** (1 - deaths / steps)))


class Places:
    """The places at the engine. Without a suspect there is no limit here.

    While a suspect waits or is at the engine nothing unsuspected is let in; the narrowest circle
    goes first, so that a killer is found before the next one is looked for. While the engine is
    down nobody is let in: all that was in it must be back before anybody's turn comes.

    Args:
        crowd: How many requests there usually are at once.
        quarantine_after: As in `together`.

    Attributes:
        life: Which life of the engine this is; another one begins when it goes down.
    """

    def __init__(self, *, crowd: int, quarantine_after: int) -> None:
        self._crowd, self._quarantine_after = crowd, quarantine_after
        self._inside = 0
        self._shut = False
        self.life = 0
        self._suspects: Counter[int] = Counter()
        self._waiting: list[tuple[int, int, asyncio.Future[int]]] = []
        self._arrival = count()
        self._unsuspected: deque[asyncio.Future[int]] = deque()

    @property
    def suspects(self) -> int:
        """Suspects that wait or are at the engine."""
        return self._suspects.total() + sum(not turn.done() for *_, turn in self._waiting)

    async def enter(self, deaths: int) -> int:
        """Wait for a place; `leave` gives it back.

        Returns:
            The life of the engine that the place is in.
        """
        if not (deaths or self._shut or self._suspects or self._waiting):
            self._inside += 1
            return self.life
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if deaths:
            heappush(self._waiting, (-deaths, next(self._arrival), turn))
        else:
            self._unsuspected.append(turn)
        self._let_in()
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._let_in()
            else:
                self.leave(deaths)
            raise

    def leave(self, deaths: int) -> None:
        """Give a place back that was entered with so many deaths."""
        self._inside -= 1
        if deaths:
            self._suspects[deaths] -= 1
            self._suspects += Counter()
        if self._waiting or self._unsuspected:
            self._let_in()

    def shut(self) -> None:
        """The engine is down: let nobody in until `open`."""
        self._shut = True
        self.life += 1

    def open(self) -> None:
        """The engine runs."""
        self._shut = False
        self._let_in()

    def _let_in(self) -> None:
        if self._shut:
            return
        while self._waiting:
            deaths, turn = -self._waiting[0][0], self._waiting[0][2]
            if not turn.cancelled():
                if self._inside >= self._limit(deaths):
                    return
                self._inside += 1
                self._suspects[deaths] += 1
                turn.set_result(self.life)
            heappop(self._waiting)
        if self._suspects:
            return
        while self._unsuspected:
            turn = self._unsuspected.popleft()
            if not turn.cancelled():
                self._inside += 1
                turn.set_result(self.life)

    def _limit(self, deaths: int) -> int:
        most = max(deaths, *self._suspects, 0)
        return together(most, crowd=self._crowd, quarantine_after=self._quarantine_after)
