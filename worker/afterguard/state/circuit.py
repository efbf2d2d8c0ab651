"""Leaving Redis alone for a while after a fault."""

from collections.abc import Callable
from time import monotonic

from afterguard.telemetry.metrics import Metrics


class Circuit:
    """Open after a fault: nobody waits for a Redis that does not answer.

    Args:
        retry_after_s: How long it stays open.
        metrics: Shows whether it is open.
        clock: Monotonic seconds.
    """

    def __init__(
        self, retry_after_s: float, metrics: Metrics, clock: Callable[[], float] = monotonic
    ) -> None:
        self._retry_after_s, self._metrics, self._clock = retry_after_s, metrics, clock
        self._open_until: float | None = None

    @property
    def away(self) -> bool:
        """Whether the last call failed and nothing has succeeded since."""
        return self._open_until is not None

    @property
    def passes(self) -> bool:
        """Whether a call may be tried now."""
        return self._open_until is None or self._clock() >= self._open_until

    def failed(self) -> None:
        """A call failed."""
        self._open_until = self._clock() + self._retry_after_s
        self._metrics.redis_away.set(1)

    def succeeded(self) -> None:
        """A call succeeded."""
        if self._open_until is not None:
            self._open_until = None
            self._metrics.redis_away.set(0)
