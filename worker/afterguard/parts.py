"""Parts: a worker's parts start in order and end in reverse, each in bounded time."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import structlog

_log = structlog.get_logger(__name__)

Act = Callable[[], Coroutine[Any, Any, None]]


class Parts:
    """Keeps what was started, and ends it when the block is left.

    Args:
        limit_s: No part holds up the end for longer, seconds; each has a shorter limit of its own.
        asked: Returns when the worker is asked to end.
    """

    def __init__(self, *, limit_s: float, asked: Callable[[], Awaitable[None]]) -> None:
        self._limit_s, self._asked = limit_s, asked
        self._stack = AsyncExitStack()

    async def start(self, name: str, start: Act, end: Act) -> bool:
        """Start one part, and have it ended later even if it does not come up.

        Args:
            name: For the log.
            start: Makes it ready; cancelled when the worker is asked to end meanwhile.
            end: Undoes it, also half-way.

        Returns:
            False when the worker was asked to end.
        """
        self._stack.push_async_callback(self._end, name, end)
        starting = asyncio.ensure_future(start())
        asked = asyncio.ensure_future(self._asked())
        try:
            await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
            return not asked.done()
        finally:
            starting.cancel()
            asked.cancel()
            # A start that does not heed its cancellation must not hold up the end.
            await asyncio.wait({starting, asked}, timeout=self._limit_s)
            _failure(starting)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _end(self, name: str, end: Act) -> None:
        # Nothing is lost by a part that ends badly, for what counts was committed before; but the
        # parts after it must still be ended.
        ending = asyncio.ensure_future(end())
        try:
            await asyncio.wait({ending}, timeout=self._limit_s)
        finally:
            ending.cancel()
        if not ending.done():
            _log.warning("a part did not end in time", part=name, limit_s=self._limit_s)
        elif error := _failure(ending):
            _log.warning("a part did not end cleanly", part=name, error=type(error).__name__)


def _failure(task: "asyncio.Future[None]") -> BaseException | None:
    return task.exception() if task.done() and not task.cancelled() else None
