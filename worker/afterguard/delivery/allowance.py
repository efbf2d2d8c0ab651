"""Allowance: something may be mended a few times, and not for ever."""

from collections import deque


class Allowance:
    """So many times within so long; beyond that, mending mends nothing.

    Args:
        times: How often.
        within_s: In how many seconds.
    """

    def __init__(self, times: int, within_s: float) -> None:
        self._times, self._within_s = times, within_s
        self._spent: deque[float] = deque()

    def spend(self, now: float) -> bool:
        """Use one, if there is one.

        Args:
            now: Monotonic seconds.

        Returns:
            False when all are used and none has come back yet.
        """
        while self._spent and now - self._spent[0] >= self._within_s:
            self._spent.popleft()
        if len(self._spent) >= self._times:
            return False
        self._spent.append(now)
        return True

    def refund(self, count: int) -> None:
        """Give the latest back: they are explained, and what was mended was not to blame."""
        for _ in range(min(count, len(self._spent))):
            self._spent.pop()
