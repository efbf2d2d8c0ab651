"""Deadlines: a request whose deadline passes while it is at the engine is ended there.

One look at all of them, twice a second, instead of a timer for each: at full speed the timers
alone would cost a tenth of the worker.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

Answer = TypeVar("Answer")

_LOOK_S = 0.5


class Deadlines:
    """Ends what is overdue.

    Args:
        clock: Monotonic seconds.
        interval_s: Between two looks, seconds; what is overdue ends so much late at most.
    """

    def __init__(self, clock: Callable[[], float], *, interval_s: float = _LOOK_S) -> None:
        self._clock, self._interval_s = clock, interval_s
        self._watched: dict[asyncio.Task[Any], float] = {}
        self._overdue: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, deadline: float | None, answer: Awaitable[Answer]) -> Answer | None:
        """The answer; None when the deadline passed before it came.

        Args:
            deadline: Monotonic seconds; None for no deadline.
            answer: Is cancelled when the deadline passes.
        """
        task = asyncio.current_task()
        if deadline is None or task is None:
            return await answer
        self._watched[task] = deadline
        if self._timer is None:
            self._timer = task.get_loop().call_later(self._interval_s, self._look)
        try:
            return await answer
        except asyncio.CancelledError:
            if self._forget(task):
                return None
            raise
        finally:
            self._forget(task)

    def _forget(self, task: asyncio.Task[Any]) -> bool:
        # True when the deadline has cancelled the task and nobody else has: then it may go on.
        self._watched.pop(task, None)
        if task not in self._overdue:
            return False
        self._overdue.discard(task)
        return task.uncancel() == 0

    def _look(self) -> None:
        self._timer = None
        now = self._clock()
        for task in [task for task, deadline in self._watched.items() if deadline <= now]:
            del self._watched[task]
            self._overdue.add(task)
            task.cancel()
        if self._watched:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._interval_s, self._look)
