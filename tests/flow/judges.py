"""Judges that do what a test tells them: answer, fail, or stay silent."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from afterguard.flow.ports import Judgement, JudgeRequest

Answer = Judgement | BaseException


class ScriptedJudge:
    """Gives each request the answer that its script has for it.

    Args:
        script: An answer for all requests, or chosen for each; an exception is raised.
    """

    engine = "scripted"
    model = "scripted-1"

    def __init__(self, script: Answer | Callable[[JudgeRequest], Answer]) -> None:
        self._script = script
        self.requests: list[JudgeRequest] = []

    async def start(self) -> None:
        """Nothing to do."""

    async def judge(self, request: JudgeRequest) -> Judgement:
        """As the script says, after a turn of the loop."""
        self.requests.append(request)
        await asyncio.sleep(0)
        answer = self._script(request) if callable(self._script) else self._script
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def healthy(self) -> bool:
        """Always."""
        return True

    async def stop(self) -> None:
        """Nothing to do."""


class HeldJudge(ScriptedJudge):
    """Answers a request only when the test lets it; without that it is a hung engine."""

    def __init__(self, script: Answer | Callable[[JudgeRequest], Answer]) -> None:
        super().__init__(script)
        self._gates: dict[str, asyncio.Event] = {}
        self.ended: list[str] = []

    async def judge(self, request: JudgeRequest) -> Judgement:
        """As the script says, once `let` was called for it."""
        gate = self._gates.setdefault(request.request_id, asyncio.Event())
        try:
            self.requests.append(request)
            await gate.wait()
        except asyncio.CancelledError:
            self.ended.append(request.request_id)
            raise
        answer = self._script(request) if callable(self._script) else self._script
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def let(self, request_id: str) -> None:
        """Let the request of this id be answered."""
        self._gates.setdefault(request_id, asyncio.Event()).set()


Act = Callable[[], Coroutine[Any, Any, None]]


class ScriptedEngine(ScriptedJudge):
    """Starts and stops as the test says, and counts how often it was stopped."""

    def __init__(
        self, answer: Answer, *, start: Act | None = None, stop: Act | None = None
    ) -> None:
        super().__init__(answer)
        self._start, self._stop = start, stop
        self.stopped = 0

    async def start(self) -> None:
        """As the test says."""
        if self._start is not None:
            await self._start()

    async def stop(self) -> None:
        """As the test says."""
        self.stopped += 1
        if self._stop is not None:
            await self._stop()


async def for_ever() -> None:
    """Never ends by itself."""
    await asyncio.Event().wait()


def failing(error: Exception) -> Act:
    """An act that raises this error."""

    async def fail() -> None:
        raise error

    return fail


def in_turn(*answers: Answer) -> Callable[[JudgeRequest], Answer]:
    """A script of one answer after the other."""
    left = list(answers)
    return lambda _: left.pop(0)
