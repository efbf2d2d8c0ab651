"""Endings: producers that are done with, stopped beside whatever comes next."""

import asyncio
from typing import Final

import structlog

from afterguard.contracts.errors import StreamError
from afterguard.stream.ports import TransactionalProducer

_log = structlog.get_logger(__name__)

_STOP_S: Final = 10.0


class Endings:
    """Stops producers; one that is dropped without it leaks its connections."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def add(
        self, producer: TransactionalProducer, after: "asyncio.Task[None] | None" = None
    ) -> None:
        """Stop this one in a task of its own, in bounded time.

        Args:
            producer: Started or not.
            after: Who still uses it, and has been told to end.
        """
        task = asyncio.create_task(_stop(producer, after), name="stopping a producer")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def ended(self, timeout_s: float | None = None) -> None:
        """Wait until all are stopped, or the time is over; they are stopped all the same."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)


async def _stop(producer: TransactionalProducer, after: "asyncio.Task[None] | None") -> None:
    if after is not None:
        await asyncio.wait({after}, timeout=_STOP_S)
    try:
        async with asyncio.timeout(_STOP_S):
            await producer.stop()
    except (StreamError, TimeoutError) as error:
        _log.warning("a producer did not stop as it should", error=type(error).__name__)
