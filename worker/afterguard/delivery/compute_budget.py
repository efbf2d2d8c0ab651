"""The compute budget: what judging has cost over the last hour, and how much of it was allowed.

The hour slides by whole minutes, and the minute that is going out counts until it has ended: what
is said is never less than what the last sixty minutes cost, nor more than the last sixty-one.
"""

from collections import deque
from typing import Final, NamedTuple

BUCKET_S: Final = 60.0
_BUCKETS: Final = 61


class Compute(NamedTuple):
    """An amount of compute.

    Attributes:
        tokens: Read anew or written by the model; those of the prefix cache cost nothing.
        engine_seconds: Seconds in which the engine was busy.
    """

    tokens: float = 0.0
    engine_seconds: float = 0.0


class ComputeBudget:
    """Adds up what was spent, and compares it with what an hour may cost.

    Args:
        tokens_per_hour: None for no limit.
        engine_seconds_per_hour: None for no limit.
    """

    def __init__(
        self, *, tokens_per_hour: float | None = None, engine_seconds_per_hour: float | None = None
    ) -> None:
        self._tokens_limit, self._seconds_limit = tokens_per_hour, engine_seconds_per_hour
        self._buckets: deque[tuple[int, float, float]] = deque()
        self._minute = 0
        # Of the buckets, and of the minute that goes on.
        self._past = self._now = Compute()

    def spend(self, spent: Compute, now: float) -> None:
        """Add what one request cost.

        Args:
            spent: Its tokens and seconds.
            now: Monotonic seconds, never earlier than before.
        """
        self._advance(now)
        self._now = Compute(
            self._now.tokens + spent.tokens, self._now.engine_seconds + spent.engine_seconds
        )

    def last_hour(self, now: float) -> Compute:
        """What was spent in the hour before `now`."""
        self._advance(now)
        return Compute(
            self._past.tokens + self._now.tokens,
            self._past.engine_seconds + self._now.engine_seconds,
        )

    def used(self, now: float) -> float:
        """The share of the hour's budget that is spent: of two limits, the one nearer its end."""
        spent = self.last_hour(now)
        tokens = spent.tokens / self._tokens_limit if self._tokens_limit else 0.0
        seconds = spent.engine_seconds / self._seconds_limit if self._seconds_limit else 0.0
        return max(tokens, seconds)

    def _advance(self, now: float) -> None:
        minute = int(now // BUCKET_S)
        if minute == self._minute:
            return
        if any(self._now):
            self._buckets.append((self._minute, *self._now))
            self._now = Compute()
        self._minute = minute
        while self._buckets and self._buckets[0][0] <= minute - _BUCKETS:
            self._buckets.popleft()
        # Anew each minute: a sum that is only added to and taken from would drift.
        self._past = Compute(
            sum(tokens for _, tokens, _ in self._buckets),
            sum(seconds for _, _, seconds in self._buckets),
        )
