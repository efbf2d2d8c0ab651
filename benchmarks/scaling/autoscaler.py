"""KEDA over a Kubernetes HPA, as far as it matters here: what it wants at each look.

Lag is an AverageValue: wanted = lag / threshold. The age of the oldest is the same, or a Value:
wanted = ready workers * age / threshold. Either changes nothing within a tenth. The larger counts.
Up: at most so many pods a period. Down: the highest that was wanted within the stabilisation
window, one pod each period. Sources: Kubernetes' `replica_calculator.go` (a Value multiplies the
pods that are ready), and the HPA's documentation for the rest.
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
        oldest_s: Threshold of the age of the oldest unjudged event; None without this trigger.
        by_ratio: Whether that is a Value; else one worker is wanted for each so many seconds.
        poll_s: Between two looks, seconds.
        load_s: From a new pod to its first event, seconds.
        down_window_s: Stabilisation window before a pod goes, seconds.
        down_every_s: One pod goes in this time, seconds.
        up_most: Pods that may come ...
        up_every_s: ... within this time, seconds.
    """

    least: int
    most: int
    lag_each: float | None = 285.0
    oldest_s: float | None = 30.0
    by_ratio: bool = True
    poll_s: float = 30.0
    load_s: float = 180.0
    down_window_s: float = 1_800.0
    down_every_s: float = 300.0
    up_most: int = 4
    up_every_s: float = 60.0


class Seen(NamedTuple):
    """What the autoscaler sees.

    Attributes:
        lag: Records that are not committed.
        oldest_s: Age of the oldest of them, seconds.
        ready: Workers that judge.
        pods: Those that load included.
    """

    lag: float
    oldest_s: float
    ready: int
    pods: int


class Autoscaler:
    """Says how many workers there should be.

    Args:
        scaling: Its settings.
    """

    def __init__(self, scaling: Scaling) -> None:
        self._scaling = scaling
        self._wanted: deque[tuple[float, int]] = deque()
        self._went_down = -scaling.down_every_s
        self._came: deque[float] = deque()

    def look(self, seen: Seen, now: float) -> int:
        """Pods that there should be now.

        Args:
            seen: What there is to see.
            now: Seconds.
        """
        settings, pods = self._scaling, seen.pods
        wanted = min(settings.most, max(settings.least, self._asked(seen)))
        self._wanted.append((now, wanted))
        while self._wanted[0][0] < now - settings.down_window_s:
            self._wanted.popleft()
        if wanted > pods:
            return pods + self._come(wanted - pods, now)
        held = max(it for _, it in self._wanted)
        if held < pods and now - self._went_down >= settings.down_every_s:
            self._went_down = now
            return pods - 1
        return pods

    def _come(self, wanted: int, now: float) -> int:
        while self._came and self._came[0] <= now - self._scaling.up_every_s:
            self._came.popleft()
        coming = min(wanted, max(0, self._scaling.up_most - len(self._came)))
        self._came.extend([now] * coming)
        return coming

    def _asked(self, seen: Seen) -> int:
        settings = self._scaling
        asked = [0]
        if settings.lag_each is not None:
            asked.append(_each(seen.lag, settings.lag_each, seen.pods))
        if settings.oldest_s is not None and settings.by_ratio:
            ratio = seen.oldest_s / settings.oldest_s
            asked.append(seen.pods if abs(ratio - 1) <= _TOLERANCE else ceil(seen.ready * ratio))
        elif settings.oldest_s is not None:
            asked.append(_each(seen.oldest_s, settings.oldest_s, seen.pods))
        return max(asked)


def _each(value: float, threshold: float, pods: int) -> int:
    ratio = value / (threshold * pods)
    return pods if abs(ratio - 1) <= _TOLERANCE else ceil(value / threshold)
