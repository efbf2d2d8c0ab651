"""Budget steering: the token limit follows the engine, looked at once a second."""

import asyncio
from collections.abc import Callable
from time import monotonic

from afterguard.delivery.budget import TokenBudget
from afterguard.delivery.token_limit import Look, TokenLimit
from afterguard.flow.ports import Judge, Loaded


class BudgetSteering:
    """Sets the limit of a budget.

    Args:
        budget: The budget.
        limit: Says what its limit should be.
        judge: The engine; it need not tell how busy it is.
        interval_s: Between two looks, seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        budget: TokenBudget,
        limit: TokenLimit,
        judge: Judge,
        *,
        interval_s: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._budget, self._limit, self._judge = budget, limit, judge
        self._interval_s, self._clock = interval_s, clock

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s)
            self.look()

    def look(self) -> None:
        """One look, and the limit that follows from it."""
        stands, judge = self._budget.statistics(), self._judge
        load = judge.load() if isinstance(judge, Loaded) else None
        running, waiting, kv_usage = load or (None, None, None)
        seen = Look(
            stands.tokens, self._budget.released, stands.exhausted, running, waiting, kv_usage
        )
        self._budget.limit(self._limit.look(seen, self._clock()))
