"""Outcast: the group refuses every commit, and yet takes no partition away.

A commit is refused now and then while a group rebalances. A member that is refused for as long as a
session lasts is no member any more and has not noticed.
"""

_TIMES = 5


class Outcast:
    """The rule, over the answers to commits.

    Args:
        limit_s: For how long every commit must be refused, seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self.clear()

    def clear(self) -> None:
        """A commit counted, or partitions came or went."""
        self._refused, self._since = 0, 0.0

    def refused(self, now: float) -> None:
        """A commit was refused, at these monotonic seconds."""
        if not self._refused:
            self._since = now
        self._refused += 1
        self._last = now

    @property
    def certain(self) -> bool:
        """Whether this member is outside its group."""
        return self._refused >= _TIMES and self._last - self._since >= self._limit_s
