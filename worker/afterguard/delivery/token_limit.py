"""The token limit: how much work in flight is worth having, by how fast it is done.

Too little, and the engine runs dry between two fetches. Too much only waits: it grows old, holds
memory, and is judged twice after a rebalance. So the limit follows the engine, between a floor
and a ceiling: it rises while the engine could take more and the limit is what holds it back, and
falls while the engine is full, or has a queue and more seconds of work than anybody gains from.
Each step is smaller than the distance between where it falls and where it rises, and after each
it rests a while, so it does not swing.
"""

from typing import NamedTuple

MOST_WORK_S = 60.0
"""With more seconds of work than this, and a queue at the engine, the limit falls."""
LEAST_WORK_S = 15.0
"""With no more than this it does not fall; it rises up to here."""
FULL, ROOMY = 0.95, 0.80
"""Shares of the KV cache in use above which the engine is full, and below which it has room."""
QUEUE = 0.3
"""An engine with so many waiting for each running request still has a queue after a fall."""

_REST_S = 3.0
_RISE, _FALL = 1.25, 0.85
_MEMORY_S = 15.0


class Look(NamedTuple):
    """What is seen at one moment.

    Attributes:
        held: Tokens in flight.
        released: Tokens that ever left, settled or given back.
        exhausted: Whether intake is held back by the limit.
        running: Requests that the engine works on; None when the engine does not tell.
        waiting: Requests in its own queue; None when it does not tell.
        kv_usage: Share of its KV cache in use, 0 to 1; None when it does not tell.
    """

    held: int
    released: int
    exhausted: bool
    running: int | None = None
    waiting: int | None = None
    kv_usage: float | None = None


class TokenLimit:
    """Steers the limit. Pure: it is told the time.

    Args:
        floor: Never below this, tokens.
        ceiling: Never above this, tokens; where it begins.
    """

    def __init__(self, floor: int, ceiling: int) -> None:
        self._floor, self._ceiling = min(floor, ceiling), ceiling
        self._limit = ceiling
        self._rate: float | None = None
        self._before: tuple[float, int] | None = None
        self._rests_until = 0.0

    def look(self, seen: Look, now: float) -> int:
        """The limit from now on.

        Args:
            seen: As it is now.
            now: Monotonic seconds, later than before.
        """
        self._measure(seen, now)
        if now < self._rests_until or self._rate is None:
            return self._limit
        work_s = self._limit / self._rate if self._rate > 0 else float("inf")
        wanted = float(self._limit)
        if self._too_much(seen, work_s):
            wanted *= _FALL
        elif self._too_little(seen, work_s):
            wanted *= _RISE
        limit = round(min(self._ceiling, max(self._floor, wanted)))
        if limit != self._limit:
            self._limit, self._rests_until = limit, now + _REST_S
        return self._limit

    @property
    def rate(self) -> float | None:
        """Tokens settled a second, lately; None before the first were."""
        return self._rate

    @staticmethod
    def _too_much(seen: Look, work_s: float) -> bool:
        # Below the limit nothing is held back, so it is not the limit that is wrong.
        if not seen.exhausted or work_s <= LEAST_WORK_S:
            return False
        if seen.waiting is None or seen.running is None or seen.kv_usage is None:
            return work_s > MOST_WORK_S
        full = seen.waiting > 0 and seen.kv_usage >= FULL
        # Of a handful of requests the share alone says little: one fewer may be no queue at all.
        queue = seen.waiting >= QUEUE * seen.running
        queue = queue and int(_FALL * (seen.running + seen.waiting)) > seen.running
        return full or (work_s > MOST_WORK_S and queue)

    @staticmethod
    def _too_little(seen: Look, work_s: float) -> bool:
        if not seen.exhausted:
            return False
        hungry = seen.waiting == 0 and seen.kv_usage is not None and seen.kv_usage < ROOMY
        return hungry or work_s < LEAST_WORK_S / _RISE

    def _measure(self, seen: Look, now: float) -> None:
        before, self._before = self._before, (now, seen.released)
        if before is None or now <= before[0]:
            return
        elapsed = now - before[0]
        rate = (seen.released - before[1]) / elapsed
        if self._rate is None:
            # A worker that has settled nothing yet says nothing about its engine.
            self._rate = rate or None
        elif seen.exhausted or rate > self._rate:
            # With little to do it settles little: that is not how fast it could be.
            share = min(1.0, elapsed / _MEMORY_S)
            self._rate += (rate - self._rate) * share
