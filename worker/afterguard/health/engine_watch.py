"""The engine watch: an engine that answers nothing any more is as dead as one that says so."""

import asyncio

import structlog

from afterguard.contracts.errors import EngineDead
from afterguard.flow.ports import Judge

_log = structlog.get_logger(__name__)


class EngineWatch:
    """Asks the engine now and then whether it answers.

    Args:
        judge: The engine.
        interval_s: Between two questions, seconds.
        patience: Questions in a row that may stay unanswered; one more is the end.
    """

    def __init__(self, judge: Judge, *, interval_s: float = 5.0, patience: int = 5) -> None:
        self._judge, self._interval_s, self._patience = judge, interval_s, patience
        self._unanswered = 0

    @property
    def answers(self) -> bool:
        """Whether the last question was answered."""
        return self._unanswered == 0

    async def run(self) -> None:
        """Ask until cancelled.

        Raises:
            EngineDead: The engine has been silent for too long; what it has will not be finished.
        """
        while True:
            await asyncio.sleep(self._interval_s)
            if await self._judge.healthy():
                self._unanswered = 0
                continue
            self._unanswered += 1
            _log.warning("the engine does not answer", unanswered=self._unanswered)
            if self._unanswered > self._patience:
                raise EngineDead(
                    f"the engine left {self._unanswered} questions in a row unanswered; what it "
                    "was given stays unsettled and will be judged again"
                )
