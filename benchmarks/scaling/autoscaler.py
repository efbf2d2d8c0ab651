"""KEDA over a Kubernetes HPA, as far as it matters here: what it wants at each look.

Lag is an AverageValue (wanted = lag / threshold), the age of the oldest a Value (wanted = workers *
age / threshold, unless within a tenth). The larger counts. Up: at most so many pods a look. Down:
what was wanted at the highest within the stabilisation window, one pod each period.
"""

from collections import deque
from math import ceil
from typing import NamedTuple

_TOLERANCE = 0.1


class Scaling(NamedTuple):
    """Settings of the autoscaler.

    Attributes:
        least: Workers, at least.
        most: Workers, at most.
        lag_each: Records behind that one worker may have; None without this trigger.
        oldest_s: Age of the oldest unjudged event to hold; None without this trigger.
        poll_s: Between two looks, seconds.
        load_s: From a new pod to its first event, seconds.
        down_window_s: Stabilisation window before a pod goes, seconds.
        down_every_s: One pod goes in this time, seconds.
        up_most: Pods that may come at one look.
    """

    least: int
    most: int
    lag_each: float | None = 2_000.0
    oldest_s: float | None = 30.0
    poll_s: float = 30.0
    load_s: float = 180.0
    down_window_s: float = 900.0
    down_every_s: float = 300.0
    up_most: int = 4


class Seen(NamedTuple):
    """What the autoscaler sees.

    Attributes:
        lag: Records that are not committed.
        oldest_s: Age of the oldest of them, seconds.
    """

    lag: float
    oldest_s: float


class Autoscaler:
    """Says how many workers there should be.

    Args:
        scaling: Its settings.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._wanted: deque[tuple[float, int]] = deque()
        self._went_down = -scaling.down_every_s

    def look(self, seen: Seen, pods: int, now: float) -> int:
        """Pods that there should be now.

        Args:
            seen: What there is to see.
            pods: That there are, those that load included.
            now: Seconds.
        """
        settings = self._scaling
        wanted = min(settings.most, max(settings.least, self._asked(seen, pods)))
        self._wanted.append((now, wanted))
        while self._wanted[0][0] < now - settings.down_window_s:
            self._wanted.popleft()
        if wanted > pods:
            return min(wanted, pods + settings.up_most)
        held = max(it for _, it in self._wanted)
        if held < pods and now - self._went_down >= settings.down_every_s:
            self._went_down = now
            return pods - 1
        return pods

    def _asked(self, seen: Seen, pods: int) -> int:
        settings = self._scaling
        asked = [0]
        if settings.lag_each is not None:
            asked.append(ceil(seen.lag / settings.lag_each))
        if settings.oldest_s is not None:
            ratio = seen.oldest_s / settings.oldest_s
            asked.append(pods if abs(ratio - 1) <= _TOLERANCE else ceil(pods * ratio))
        return max(asked)
