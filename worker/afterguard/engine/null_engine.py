"""The null engine: answers `no_violation` at once, to measure everything around an engine."""

import asyncio
from typing import Final

from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest

_ANSWER: Final = Judgement(
    JudgementStatus.ANSWERED, violation=False, answer='{"violation":0,"rules":[]}'
)


class NullJudge:
    """Judges nothing. Its verdicts name engine and model `null` and mean nothing.

    Args:
        latency_s: How long every answer takes, seconds.
    """

    engine = "null"
    model = "null"

    def __init__(self, latency_s: float = 0.0) -> None:
        self._latency_s = latency_s

    async def start(self) -> None:
        """Nothing to do."""

    async def judge(self, request: JudgeRequest) -> Judgement:
        """Always the same answer, under every policy."""
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        if request.also:
            return _ANSWER._replace(others=(_ANSWER,) * len(request.also))
        return _ANSWER

    async def healthy(self) -> bool:
        """Always."""
        return True

    async def stop(self) -> None:
        """Nothing to do."""
