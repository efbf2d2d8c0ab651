"""The engine watch: an engine that answers nothing any more is as dead as one that says so.

Flags prove nothing: vLLM's own find a frozen engine healthy. What counts is a sign of life: while
the engine has work, a step that it makes or a request that ends; while it has none, the answer to
a probe.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from afterguard.contracts.errors import EngineDead
from afterguard.flow.ports import Judge, Revivable, Vitals

_log = structlog.get_logger(__name__)

_NOTHING_KNOWN = Vitals(running=True, in_flight=0, progress=0)


class EngineWatch:
    """Looks for a sign of life now and then.

    Args:
        judge: The engine.
        limit_s: Without a sign of life for so long it hangs, seconds.
        interval_s: Between two looks, seconds.
        revivable: Starts it again, and shows its progress; None when the worker must end.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        judge: Judge,
        *,
        limit_s: float,
        interval_s: float = 1.0,
        revivable: Revivable | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._judge, self._revivable = judge, revivable
        self._limit_s, self._interval_s, self._clock = limit_s, interval_s, clock
        self._answered = True
        self._progress = 0
        self._alive_at = clock()

    @property
    def answers(self) -> bool:
        """Whether the engine runs and answered the last probe."""
        return self._answered and self._vitals().running

    async def run(self) -> None:
        """Look until cancelled.

        Raises:
            EngineDead: The engine is dead or hangs, and is not started again any more; what it has
                will not be finished.
        """
        self._alive_at = self._clock()
        while True:
            await asyncio.sleep(self._interval_s)
            if gone := await self._gone():
                if self._revivable is None:
                    raise gone
                await self._revivable.restart(gone)
                self._alive_at = self._clock()

    async def _gone(self) -> EngineDead | None:
        before = self._vitals()
        if before.running:
            self._answered = await self._judge.healthy()
        after = self._vitals()
        if not after.running:
            return EngineDead("the engine died")
        now = self._clock()
        idle_and_well = self._answered and not before.in_flight
        if idle_and_well or after.progress != self._progress:
            self._progress = after.progress
            self._alive_at = now
            return None
        silent_s = now - self._alive_at
        if not self._answered:
            _log.warning("the engine does not answer", silent_s=round(silent_s, 1))
        if silent_s < self._limit_s:
            return None
        return EngineDead(
            f"the engine gave no sign of life for {silent_s:.0f} s, with {after.in_flight} "
            "requests in it"
        )

    def _vitals(self) -> Vitals:
        return _NOTHING_KNOWN if self._revivable is None else self._revivable.vitals
