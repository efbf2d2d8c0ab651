"""Persistence: one engine request, tried until it is answered or there is no point in trying."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

import structlog

from afterguard.contracts.errors import (
    AfterguardError,
    Consequence,
    EngineBusy,
    RequestRefused,
)
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.deadlines import Deadlines
from afterguard.flow.findings import Reading
from afterguard.flow.ports import Judge, Judgement, JudgeRequest
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_EXPIRED = Reading(Outcome.EXPIRED, Reason.DEADLINE_PASSED)
_REFUSED = Reading(Outcome.FAILED, Reason.REQUEST_REFUSED)
_EXHAUSTED = Reading(Outcome.FAILED, Reason.RETRIES_EXHAUSTED)
_FAULT = Reading(Outcome.FAILED, Reason.INTERNAL_FAULT)


class Attempted(NamedTuple):
    """How a request ended: with a judgement, or given up with the reading that says why."""

    attempts: int
    judgement: Judgement | None = None
    gave_up: Reading | None = None


class Tally(Protocol):
    """Has room for the highest count of tries of any request of one event."""

    attempts: int


class _Untold:
    attempts = 0


class Persistence:
    """Sends requests to the engine, again where that can help.

    Args:
        judge: The engine.
        retry: When a retriable fault is tried again.
        metrics: Where requests and retries are counted.
        clock: Monotonic seconds.
    """

    def __init__(
        self, judge: Judge, retry: RetrySchedule, metrics: Metrics, clock: Callable[[], float]
    ) -> None:
        self._judge, self._retry, self._metrics, self._clock = judge, retry, metrics, clock
        self._deadlines = Deadlines(clock)

    async def ask(
        self, request: JudgeRequest, deadline: float | None, tally: Tally | None = None
    ) -> Attempted:
        """The engine's judgement, or why there is none.

        A request whose deadline passes in the engine is ended there: nobody needs its answer.

        Args:
            request: What to ask.
            deadline: Monotonic seconds after which nobody needs the answer; None for never.
            tally: Where the tries are told while they go on.

        Raises:
            AfterguardError: One whose consequence is `exit`.
        """
        tally = tally or _Untold()
        attempts = faults = 0
        while True:
            left = self._left(deadline)
            if left is not None and left <= 0:
                return Attempted(attempts, gave_up=_EXPIRED)
            attempts += 1
            tally.attempts = max(tally.attempts, attempts)
            gave_up: Reading | None = None
            try:
                judgement = await self._deadlines.within(deadline, self._judge.judge(request))
                if judgement is not None:
                    return Attempted(attempts, judgement)
                gave_up = _EXPIRED
            except AfterguardError as error:
                self._metrics.judge_faults[_kind(error)].inc()
                if error.consequence is Consequence.EXIT:
                    raise
                if error.consequence is Consequence.DEAD_LETTER:
                    gave_up = _REFUSED
                # A full queue is no fault of the request: it waits its turn, until its deadline.
                faults += not isinstance(error, EngineBusy)
            except Exception as error:  # noqa: BLE001 (one odd event must not stop its partition)
                # The text of an unknown error may quote the message, so only its type is told.
                _log.error(
                    "judging failed in a way nobody foresaw",
                    request_id=request.request_id,
                    error=type(error).__name__,
                )
                self._metrics.judge_faults["unforeseen"].inc()
                gave_up = _FAULT
            if gave_up is None and faults >= self._retry.attempts:
                gave_up = _EXHAUSTED
            wait = None if gave_up else self._retry.wait_s(attempts, left_s=self._left(deadline))
            if wait is None:
                return Attempted(attempts, gave_up=gave_up or _EXPIRED)
            self._metrics.judge_retries.inc()
            await asyncio.sleep(wait)

    def _left(self, deadline: float | None) -> float | None:
        return None if deadline is None else deadline - self._clock()


def _kind(error: AfterguardError) -> str:
    match error:
        case EngineBusy():
            return "busy"
        case RequestRefused():
            return "refused"
    return "fault"
