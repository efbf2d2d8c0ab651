"""Trials: who goes to the engine in what company, and what is remembered when it dies.

Deaths are remembered in two places: here, for those of an engine that is started again in place,
and in `Attempts`, for those of the whole worker. Without the second they count within one life.
"""

from collections.abc import Callable
from typing import Final

import structlog

from afterguard.contracts.errors import EngineLost
from afterguard.flow.ports import Attempts, Judge, Judgement, JudgeRequest
from afterguard.flow.suspects import Places
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

CROWD: Final = 512
QUARANTINE_AFTER: Final = 3


class Trials:
    """Keeps count of the deaths behind each request.

    Args:
        metrics: Where suspects and those in quarantine are shown.
        crowd: How many requests there usually are at the engine at once.
        quarantine_after: Deaths after which a request is given up; 2 or more.
        attempts: Remembers deaths over lives of the worker; None to forget them.
        explained: Told how many deaths of this life's engine a condemned request was in.
    """

    def __init__(
        self,
        metrics: Metrics,
        *,
        crowd: int = CROWD,
        quarantine_after: int = QUARANTINE_AFTER,
        attempts: Attempts | None = None,
        explained: Callable[[int], None] | None = None,
    ) -> None:
        self._places = Places(crowd=crowd, quarantine_after=quarantine_after)
        self._quarantine_after = quarantine_after
        self._metrics, self._attempts = metrics, attempts
        self._explained = explained or (lambda _: None)
        metrics.suspects.set_function(lambda: self._places.suspects)

    def engine_runs(self, running: bool) -> None:  # noqa: FBT001 (it is the whole message)
        """Told when the engine goes down and when it runs again."""
        if running:
            self._places.open()
        else:
            self._places.shut()

    async def deaths(self, request: JudgeRequest) -> int:
        """How often this request was at an engine that died, in earlier lives."""
        return 0 if self._attempts is None else await self._attempts.deaths(request)

    def condemns(self, request: JudgeRequest, deaths: int, *, here: int) -> bool:
        """Whether a request goes to the engine no more.

        Args:
            request: The request.
            deaths: Behind it, in all lives.
            here: Of these, those in this life.
        """
        if deaths < self._quarantine_after:
            return False
        _log.error(
            "a request is given up: each time it was at the engine, the engine or its worker died",
            request_id=request.request_id,
            deaths=deaths,
        )
        self._metrics.quarantined.inc()
        self._explained(here)
        # Kept, not forgotten: if the worker ends before the dead letter is written, the next one
        # must not try again. A replay is a record of its own and begins anew.
        self._remember(request, deaths)
        return True

    def forget(self, request: JudgeRequest) -> None:
        """The request ended in another way."""
        self._remember(request, 0)

    async def judge(self, judge: Judge, request: JudgeRequest, deaths: int) -> Judgement:
        """Send a request to the engine, in the company that its deaths allow.

        Raises:
            EngineLost: The engine died with it; count one more.
            EngineError: As `Judge.judge` has them.
        """
        while True:
            life = await self._places.enter(deaths)
            try:
                judgement = await self._in_place(judge, request, deaths, life)
            finally:
                self._places.leave(deaths)
            if judgement is not None:
                return judgement

    async def _in_place(
        self, judge: Judge, request: JudgeRequest, deaths: int, life: int
    ) -> Judgement | None:
        attempts = self._attempts
        after = deaths
        try:
            if attempts is not None:
                # Should all of this end here and now, the next life reads one death more.
                await attempts.charge(request, deaths + 1)
            if life != self._places.life:
                # The engine died meanwhile, without this one: it must wait for its turn anew.
                return None
            judgement = await judge.judge(request)
            after = 0
        except EngineLost:
            after = deaths + 1
            raise
        finally:
            if attempts is not None:
                attempts.remember(request, after)
        return judgement

    def _remember(self, request: JudgeRequest, deaths: int) -> None:
        if self._attempts is not None:
            self._attempts.remember(request, deaths)
