"""The restart budget: how often an engine may be started again in place."""

from collections import deque
from collections.abc import Callable
from time import monotonic


class RestartBudget:
    """So many restarts within a window of time.

    Args:
        restarts: Most of them; 0 for none.
        window_s: Within so many seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self, restarts: int, window_s: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._restarts, self._window_s, self._clock = restarts, window_s, clock
        self._spent: deque[float] = deque()

    def spend(self) -> bool:
        """Take one; False when none is left."""
        now = self._clock()
        while self._spent and self._spent[0] <= now - self._window_s:
            self._spent.popleft()
        if len(self._spent) >= self._restarts:
            return False
        self._spent.append(now)
        return True

    def refund(self, count: int) -> None:
        """Give the latest back: they are explained, and the engine was not to blame."""
        for _ in range(min(count, len(self._spent))):
            self._spent.pop()
