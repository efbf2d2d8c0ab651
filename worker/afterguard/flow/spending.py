"""Spending: what judging costs in tokens and in seconds of the engine.

The seconds of a request say little when hundreds are at the engine at once: they would add up to
many times the hour. So it is the time in which the engine has work that is counted, once, and each
request bears an equal part of every moment that it is there. What is summed over the requests is
the time that the engine was busy, never more than the time that went by.
"""

from collections.abc import Callable
from time import monotonic

from afterguard.delivery.compute_budget import Compute, ComputeBudget
from afterguard.flow.ports import Judge, Judgement, JudgeRequest
from afterguard.telemetry.metrics import Metrics


class BusyTime:
    """Shares the time in which there is work out among those that are at work.

    Attributes:
        inside: How many are at work now.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.inside, self._last = 0, 0.0
        # What one request that had been there all along would have borne.
        self._each = 0.0

    def enter(self) -> float:
        """Work begins; give what is returned to `leave`."""
        self._advance()
        self.inside += 1
        return self._each

    def leave(self, entered: float) -> float:
        """Work ends.

        Returns:
            Its part of the time, seconds.
        """
        self._advance()
        self.inside -= 1
        return self._each - entered

    def _advance(self) -> None:
        now = self._clock()
        if self.inside:
            self._each += (now - self._last) / self.inside
        self._last = now


class Spending:
    """A judge that counts what its answers cost.

    Args:
        judge: The engine.
        metrics: Where it is counted.
        budget: Where it is added up; None without one.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        judge: Judge,
        metrics: Metrics,
        *,
        budget: ComputeBudget | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._judge, self._budget, self._clock = judge, budget, clock
        self._tallies = metrics.policies.compute.spent
        self._busy = BusyTime(clock)
        metrics.engine_requests.set_function(lambda: self._busy.inside)
        self.engine, self.model = judge.engine, judge.model

    async def start(self) -> None:
        """See `flow.ports.Judge.start`."""
        await self._judge.start()

    async def judge(self, request: JudgeRequest) -> Judgement:
        """See `flow.ports.Judge.judge`."""
        judgement: Judgement | None = None
        entered = self._busy.enter()
        try:
            judgement = await self._judge.judge(request)
        finally:
            # One that fails or is ended has cost its seconds; its tokens nobody tells.
            self._spent(request, judgement, self._busy.leave(entered))
        return judgement

    async def healthy(self) -> bool:
        """See `flow.ports.Judge.healthy`."""
        return await self._judge.healthy()

    async def stop(self) -> None:
        """See `flow.ports.Judge.stop`."""
        await self._judge.stop()

    def _spent(self, request: JudgeRequest, judgement: Judgement | None, seconds: float) -> None:
        read = cached = written = 0
        if judgement is not None:
            cached, written = judgement.cached_prompt_tokens, judgement.output_tokens
            read = max(0, judgement.prompt_tokens - cached)
        tallies = self._tallies[request.effort, request.second]
        tallies.engine_seconds.add(seconds)
        if judgement is not None:
            tallies.read.add(read)
            tallies.cached.add(cached)
            tallies.written.add(written)
        if self._budget is not None:
            self._budget.spend(Compute(read + written, seconds), self._clock())
