"""An engine that is started again in place when it dies or hangs, within a budget.

What was in it is handed back as `EngineLost`, to be asked again by those who know how often that
has happened; what is asked meanwhile waits. Deadlines go on counting all the time: they are kept
above, by cancelling.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Final, Protocol, runtime_checkable

import structlog

from afterguard.contracts.errors import (
    AfterguardError,
    EngineDead,
    EngineLost,
    EngineUnavailable,
)
from afterguard.delivery.allowance import Allowance
from afterguard.flow.ports import EngineLoad, Judge, Judgement, JudgeRequest, Loaded, Vitals
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

# For requests to leave an engine that is being ended.
_LEAVE_S: Final = 5.0


@runtime_checkable
class Restartable(Judge, Protocol):
    """A judge that may be started again after `stop`, and tells how it is."""

    @property
    def steps(self) -> int:
        """Steps that its engine has made, in all its lives."""
        ...

    @property
    def dead(self) -> bool:
        """Whether the engine itself says that it died."""
        ...

    async def kill(self) -> None:
        """End its processes at once, frozen ones too. `stop` comes after it. Never raises."""
        ...


class RestartingJudge:
    """Wraps a judge; one restart at a time.

    A new engine must first answer a request that an earlier one has answered. Without that proof
    an engine that kills itself on everything would convict one innocent request after the other.

    Args:
        judge: The engine.
        budget: How often it may be started again.
        metrics: Where restarts are counted.
        proof_timeout_s: For the answer that a new engine owes, seconds.
        told: Told whether the engine runs, each time that this changes after the start.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        judge: Restartable,
        budget: Allowance,
        metrics: Metrics,
        *,
        proof_timeout_s: float,
        told: Callable[[bool], None] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.engine, self.model = judge.engine, judge.model
        self._judge, self._budget, self._metrics = judge, budget, metrics
        self._proof_timeout_s, self._clock = proof_timeout_s, clock
        self._told = told or (lambda _: None)
        self._up = asyncio.Event()
        self._started = False
        self._life = 0
        self._in_flight: dict[asyncio.Task[Any], int] = {}
        self._lost: set[asyncio.Task[Any]] = set()
        self._empty = asyncio.Event()
        self._ended = 0
        self._proof: JudgeRequest | None = None
        self._reviving: asyncio.Task[None] | None = None
        self._failure = ""

    async def start(self) -> None:
        """See `Judge.start`."""
        await self._judge.start()
        self._started, self._failure = True, ""
        self._up.set()

    async def judge(self, request: JudgeRequest) -> Judgement:
        """One request; waits while the engine is started again.

        Raises:
            EngineLost: The engine died or hung with it and is started again.
            EngineDead: It is not started again any more.
            EngineError: As the engine itself has them.
        """
        task = asyncio.current_task()
        if task is None or not self._started:
            return await self._judge.judge(request)
        await self._until_up()
        life = self._in_flight[task] = self._life
        try:
            judgement = await self._judge.judge(request)
        except (EngineDead, EngineUnavailable) as error:
            if life == self._life:
                self._begin(error, "died")
            raise EngineLost(f"the engine died with the request ({error})") from None
        except asyncio.CancelledError:
            if self._taken_back(task):
                raise EngineLost("the request was in an engine that was ended") from None
            raise
        finally:
            del self._in_flight[task]
            self._taken_back(task)
            self._ended += 1
            if not self._in_flight:
                self._empty.set()
        self._proof = request
        return judgement

    async def healthy(self) -> bool:
        """Whether the engine runs and answers."""
        return self.vitals.running and await self._judge.healthy()

    async def stop(self) -> None:
        """See `Judge.stop`."""
        self._started = False
        # Before the restart ends: whoever waits for it must not go on to a stopped engine.
        self._failure = self._failure or "the engine was stopped"
        reviving, self._reviving = self._reviving, None
        if reviving is not None:
            reviving.cancel()
            await asyncio.wait({reviving})
        await self._judge.stop()
        self._up.set()

    @property
    def vitals(self) -> Vitals:
        """See `flow.ports.Revivable`."""
        running = self._started and self._up.is_set() and not self._failure
        return Vitals(
            running and not self._judge.dead,
            len(self._in_flight),
            self._ended + self._judge.steps,
        )

    def load(self) -> EngineLoad | None:
        """See `flow.ports.Loaded`."""
        return self._judge.load() if isinstance(self._judge, Loaded) else None

    async def restart(self, cause: EngineDead) -> None:
        """See `flow.ports.Revivable`."""
        if self._started:
            self._begin(cause, "died" if self._judge.dead else "hung")
        await self._until_up()

    def explained(self, deaths: int) -> None:
        """So many deaths were the deed of a request that is now condemned: they cost no budget."""
        self._budget.refund(deaths)

    async def _until_up(self) -> None:
        await self._up.wait()
        if self._failure:
            raise EngineDead(self._failure)

    def _taken_back(self, task: asyncio.Task[Any]) -> bool:
        # True when we alone have cancelled the task: then it may go on.
        if task not in self._lost:
            return False
        self._lost.discard(task)
        return task.uncancel() == 0

    def _begin(self, cause: AfterguardError, kind: str) -> None:
        if self._reviving is None and not self._failure:
            self._up.clear()
            self._told(False)  # noqa: FBT003 (the engine does not run)
            self._reviving = asyncio.create_task(self._revive(cause, kind), name="engine-restart")

    async def _revive(self, cause: AfterguardError, kind: str) -> None:
        began = self._clock()
        _log.warning(
            "the engine is ended and started again",
            cause=kind,
            detail=str(cause),
            in_flight=len(self._in_flight),
        )
        try:
            await self._hand_back()
            await self._end()
            while self._budget.spend(self._clock()):
                self._metrics.engine_restarts[kind].inc()
                if await self._again():
                    self._life += 1
                    _log.info("the engine runs again", seconds=round(self._clock() - began, 1))
                    return
                kind = "refused"
                await self._end()
            self._failure = (
                f"{cause}; it was started again as often as engine.restarts allows within "
                "engine.restart_window_s; what it was given stays unsettled"
            )
        finally:
            self._reviving = None
            self._up.set()
            # Even when it is dead for good: those that wait must hear of it.
            self._told(True)  # noqa: FBT003

    async def _hand_back(self) -> None:
        """End what is in flight, and let it say who is condemned and what that explains."""
        self._empty.clear()
        for task in self._in_flight:
            self._lost.add(task)
            task.cancel()
        if self._in_flight:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_S):
                    await self._empty.wait()

    async def _end(self) -> None:
        await self._judge.kill()
        try:
            await self._judge.stop()
        except Exception as error:  # noqa: BLE001 (what did not end well is killed; go on)
            _log.warning("the engine did not end cleanly", error=type(error).__name__)

    async def _again(self) -> bool:
        try:
            await self._judge.start()
            if self._proof is not None:
                async with asyncio.timeout(self._proof_timeout_s):
                    await self._judge.judge(self._proof._replace(request_id="proof"))
        except Exception as error:  # noqa: BLE001 (whatever it is: this engine does not run)
            # The text of an unknown error may quote the message, so only its type is told.
            detail = str(error) if isinstance(error, AfterguardError) else ""
            _log.warning(
                "the engine could not be started again", error=type(error).__name__, detail=detail
            )
            return False
        return True
