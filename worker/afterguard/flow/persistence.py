"""Persistence: one engine request, tried until it is answered or there is no point in trying."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from afterguard.contracts.errors import (
    AfterguardError,
    Consequence,
    EngineBusy,
    EngineLost,
    RequestRefused,
)
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.deadlines import Deadlines
from afterguard.flow.findings import EXPIRED, FAULT, SHED, Reading
from afterguard.flow.ports import Judge, Judgement, JudgeRequest
from afterguard.flow.trials import Trials
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_REFUSED = Reading(Outcome.FAILED, Reason.REQUEST_REFUSED)
_EXHAUSTED = Reading(Outcome.FAILED, Reason.RETRIES_EXHAUSTED)
_CONDEMNED = Reading(Outcome.FAILED, Reason.QUARANTINED)


class Attempted(NamedTuple):
    """How a request ended: with a judgement, or given up with the reading that says why.

    `attempts` counts the deaths of earlier lives as well.
    """

    attempts: int
    judgement: Judgement | None = None
    gave_up: Reading | None = None


class _Try(NamedTuple):
    """How one try ended; without a judgement and without a reason to give up, try again."""

    judgement: Judgement | None = None
    gave_up: Reading | None = None
    death: bool = False
    fault: bool = False


class Tally(Protocol):
    """Has room for the highest count of tries of any request of one event."""

    attempts: int


class Retries(Protocol):
    """Is told when a request goes to the engine again."""

    def tried_again(self, fault: str) -> None:
        """The engine did not answer, for this reason."""
        ...


class _Untold:
    attempts = 0


class Persistence:
    """Sends requests to the engine, again where that can help.

    Args:
        judge: The engine.
        retry: When a retriable fault is tried again.
        metrics: Where requests and retries are counted.
        trials: Who goes to the engine in what company.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        judge: Judge,
        retry: RetrySchedule,
        metrics: Metrics,
        trials: Trials,
        clock: Callable[[], float],
    ) -> None:
        self._judge, self._retry, self._metrics, self._clock = judge, retry, metrics, clock
        self._trials = trials
        self._deadlines = Deadlines(clock)

    async def ask(
        self,
        request: JudgeRequest,
        deadline: float | None,
        tally: Tally | None = None,
        retries: Retries | None = None,
    ) -> Attempted:
        """The engine's judgement, or why there is none.

        A request whose deadline passes in the engine is ended there: nobody needs its answer.

        Args:
            request: What to ask.
            deadline: Monotonic seconds after which nobody needs the answer; None for never.
            tally: Where the tries are told while they go on.
            retries: Where it is told why it was tried again.

        Raises:
            AfterguardError: One whose consequence is `exit`.
        """
        before = await self._trials.deaths(request)
        attempted = await self._ask(request, deadline, tally or _Untold(), before, retries)
        if attempted.judgement is None and attempted.gave_up is not _CONDEMNED:
            self._trials.forget(request)
        return attempted

    async def _ask(
        self,
        request: JudgeRequest,
        deadline: float | None,
        tally: Tally,
        before: int,
        retries: Retries | None,
    ) -> Attempted:
        attempts = deaths = before
        tally.attempts = max(tally.attempts, attempts)
        faults, began = 0, self._clock()
        while True:
            if self._trials.condemns(request, deaths, here=deaths - before):
                return Attempted(attempts, gave_up=_CONDEMNED)
            left = self._left(deadline)
            if left is not None and left <= 0:
                return Attempted(attempts, gave_up=EXPIRED)
            attempts += 1
            tally.attempts = max(tally.attempts, attempts)
            tried = await self._try(request, deadline, deaths)
            if tried.judgement is not None or tried.gave_up is not None:
                return Attempted(attempts, tried.judgement, tried.gave_up)
            if tried.death:
                # The restart was the wait: it goes to the new engine at once, in smaller company.
                deaths += 1
                self._again(retries, "lost")
                continue
            faults += tried.fault
            if faults >= self._retry.attempts:
                return Attempted(attempts, gave_up=_EXHAUSTED)
            waited = self._clock() - began
            if deadline is None and not tried.fault and waited >= self._retry.full_s:
                return Attempted(attempts, gave_up=SHED)
            wait = self._retry.wait_s(attempts, left_s=self._left(deadline))
            if wait is None:
                return Attempted(attempts, gave_up=EXPIRED)
            self._again(retries, "fault" if tried.fault else "busy")
            await asyncio.sleep(wait)

    async def _try(self, request: JudgeRequest, deadline: float | None, deaths: int) -> _Try:
        try:
            judgement = await self._deadlines.within(
                deadline, self._trials.judge(self._judge, request, deaths)
            )
        except AfterguardError as error:
            self._metrics.judge_faults[_kind(error)].inc()
            if error.consequence is Consequence.EXIT:
                raise
            if error.consequence is Consequence.DEAD_LETTER:
                return _Try(gave_up=_REFUSED)
            death = isinstance(error, EngineLost)
            # A full queue is no fault of the request: it waits its turn, until its deadline.
            return _Try(death=death, fault=not death and not isinstance(error, EngineBusy))
        except Exception as error:  # noqa: BLE001 (one odd event must not stop its partition)
            # The text of an unknown error may quote the message, so only its type is told.
            _log.error(
                "judging failed in a way nobody foresaw",
                request_id=request.request_id,
                error=type(error).__name__,
            )
            self._metrics.judge_faults["unforeseen"].inc()
            return _Try(gave_up=FAULT)
        return _Try(judgement, None if judgement is not None else EXPIRED)

    def _again(self, retries: Retries | None, fault: str) -> None:
        self._metrics.judge_retries.inc()
        if retries is not None:
            retries.tried_again(fault)

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else deadline - self._clock()


def _kind(error: AfterguardError) -> str:
    match error:
        case EngineBusy():
            return "busy"
        case RequestRefused():
            return "refused"
        case EngineLost():
            return "lost"
    return "fault"
