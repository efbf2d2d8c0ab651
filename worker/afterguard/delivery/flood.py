"""Flood: so many dead letters of one cause within so short a time that a person must look.

A counter for each cause in a sliding window. Not a share of the traffic: before the first good
record any share is too large, and a large share of little is no flood. A flood drops nothing. It
stays until a person accepts its cause, also when no more of it comes.
"""

from collections import deque
from collections.abc import Mapping
from math import inf


class Flood:
    """Counts dead letters by cause; pure.

    Args:
        count: So many of one cause within the window are a flood; None for never.
        window_s: The window, seconds.
        accepted: Causes that are never a flood.
    """

    def __init__(
        self, count: int | None, window_s: float, *, accepted: tuple[str, ...] = ()
    ) -> None:
        self._count, self._window_s = count, window_s
        self._recent: dict[str, deque[float]] = {}
        self._accepted_until = dict.fromkeys(accepted, inf)
        self._floods: dict[str, float] = {}

    def count(self, cause: str, now: float) -> bool:
        """Count one dead letter.

        Args:
            cause: Its reason code.
            now: Monotonic seconds.

        Returns:
            Whether a flood began with this one.
        """
        if self._count is None or cause in self._floods:
            return False
        if (until := self._accepted_until.get(cause)) is not None:
            if now < until:
                return False
            del self._accepted_until[cause]
        recent = self._recent.get(cause)
        if recent is None:
            recent = self._recent[cause] = deque(maxlen=self._count)
        recent.append(now)
        if len(recent) < self._count or now - recent[0] > self._window_s:
            return False
        self._floods[cause] = now
        return True

    def accept(self, cause: str, until: float = inf) -> bool:
        """Go on in spite of this cause, and count none of it for a while.

        Args:
            cause: A reason code; one that floods or one that is expected to.
            until: Monotonic seconds; after it the cause is counted anew. For ever by default.

        Returns:
            Whether it was a flood.
        """
        self._recent.pop(cause, None)
        self._accepted_until[cause] = until
        return self._floods.pop(cause, None) is not None

    @property
    def floods(self) -> Mapping[str, float]:
        """The causes that flood, each with the moment at which that was seen."""
        return self._floods
