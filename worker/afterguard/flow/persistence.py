"""Persistence: one engine request, tried until it is answered or there is no point in trying."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

import structlog

from afterguard.contracts.errors import (
    AfterguardError,
    Consequence,
    EngineBusy,
    RequestRefused,
)
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.findings import Reading
from afterguard.flow.ports import Judge, Judgement, JudgeRequest
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)


class Attempted(NamedTuple):
    """How a request ended: with a judgement, or given up with the reading that says why."""

    attempts: int
    judgement: Judgement | None = None
    gave_up: Reading | None = None


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

    async def ask(self, request: JudgeRequest, deadline: float | None) -> Attempted:
        """The engine's judgement, or why there is none.

        Args:
            request: What to ask.
            deadline: Monotonic seconds after which nobody needs the answer; None for never.

        Raises:
            AfterguardError: One whose consequence is `exit`.
        """
        attempts = 0
        while True:
            left = None if deadline is None else deadline - self._clock()
            if left is not None and left <= 0:
                return _gave_up(attempts, Outcome.EXPIRED, Reason.DEADLINE_PASSED)
            attempts += 1
            try:
                judgement = await self._judge.judge(request)
            except AfterguardError as error:
                self._count(error)
                match error.consequence:
                    case Consequence.EXIT:
                        raise
                    case Consequence.DEAD_LETTER:
                        return _gave_up(attempts, Outcome.FAILED, Reason.REQUEST_REFUSED)
                wait = self._retry.wait_s(attempts, left_s=left)
                if wait is None:
                    return _gave_up(attempts, Outcome.FAILED, Reason.RETRIES_EXHAUSTED)
                self._metrics.judge_retries.inc()
                await asyncio.sleep(wait)
            except Exception as error:  # noqa: BLE001 (one odd event must not stop its partition)
                # The text of an unknown error may quote the message, so only its type is told.
                _log.error(
                    "judging failed in a way nobody foresaw",
                    request_id=request.request_id,
                    error=type(error).__name__,
                )
                self._metrics.judge_faults["unforeseen"].inc()
                return _gave_up(attempts, Outcome.FAILED, Reason.INTERNAL_FAULT)
            else:
                return Attempted(attempts, judgement=judgement)

    def _count(self, error: AfterguardError) -> None:
        match error:
            case EngineBusy():
                result = "busy"
            case RequestRefused():
                result = "refused"
            case _:
                result = "fault"
        self._metrics.judge_faults[result].inc()


def _gave_up(attempts: int, outcome: Outcome, reason: Reason) -> Attempted:
    return Attempted(attempts, gave_up=Reading(outcome, reason))
