"""Lifecycle: start in order, serve, drain, and end with an exit code that says why.

Each exit code is named; runbooks and the chart cite the names.
"""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from enum import IntEnum
from time import monotonic
from typing import Any

import structlog

from afterguard.app import App
from afterguard.contracts.errors import (
    AfterguardError,
    EngineError,
    PolicyError,
    SettingsError,
    StreamError,
)

_log = structlog.get_logger(__name__)


class ExitCode(IntEnum):
    """How a worker ended."""

    DRAINED = 0
    UNFORESEEN = 1
    CONFIGURATION = 78
    ENGINE_DIED = 80
    STREAM_LOST = 81


def exit_code(error: BaseException) -> ExitCode:
    """The exit code that an error stands for; looks into exception groups."""
    if isinstance(error, BaseExceptionGroup):
        codes = {exit_code(inner) for inner in error.exceptions}
        return max(codes, default=ExitCode.UNFORESEEN)
    match error:
        case SettingsError() | PolicyError():
            return ExitCode.CONFIGURATION
        case EngineError():
            return ExitCode.ENGINE_DIED
        case StreamError():
            return ExitCode.STREAM_LOST
    return ExitCode.UNFORESEEN


class Stop:
    """The wish to end: once to drain, a second time to give back what is in flight at once."""

    def __init__(self) -> None:
        self._drain = asyncio.Event()
        self._hurry = asyncio.Event()

    def ask(self) -> None:
        """Ask to end; asking again hurries."""
        if self._drain.is_set():
            self._hurry.set()
        self._drain.set()

    @property
    def asked(self) -> bool:
        """Whether anybody has asked."""
        return self._drain.is_set()

    async def wait(self) -> None:
        """Wait until asked."""
        await self._drain.wait()

    async def wait_hurry(self) -> None:
        """Wait until asked a second time."""
        await self._hurry.wait()

    def on_signals(self) -> Callable[[], None]:
        """Ask on SIGTERM and SIGINT.

        Returns:
            Undoes it.
        """
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self.ask)

        def undo() -> None:
            for name in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(name)

        return undo


async def serve(app: App, stop: Stop, *, ready: Callable[[], None] | None = None) -> ExitCode:
    """Run a worker from start to drained.

    Args:
        app: The rooms, built and not started.
        stop: The wish to end.
        ready: Called once, when the first record may come.

    Returns:
        How it ended. Errors are logged here and not raised.
    """
    code = ExitCode.DRAINED
    try:
        async with AsyncExitStack() as stack:
            if await _start(app, stop, stack):
                await _flow(app, stop, ready)
    except* AfterguardError as errors:
        code = exit_code(errors)
        for error in _leaves(errors):
            _log.error("the worker ends", error=type(error).__name__, detail=str(error))
    fates = app.assignments.fates._asdict()
    _log.info("ended", exit_code=code.value, meaning=code.name.lower(), fates=fates)
    return code


async def _start(app: App, stop: Stop, stack: AsyncExitStack) -> bool:
    """Start everything that is slow or outside, in order; False when asked to stop meanwhile."""
    if app.http is not None:
        await app.http.start()
        stack.push_async_callback(app.http.stop)
    starts = (
        (app.judge.start, app.judge.stop),
        *([(app.redis.start, app.redis.stop)] if app.redis else []),
        (app.producer.start, app.producer.stop),
    )
    for start, end in starts:
        stack.push_async_callback(end)
        if not await _unless_stopped(start(), stop):
            return False
    stack.push_async_callback(app.consumer.stop)
    return await _unless_stopped(app.consumer.start(app.rebalance), stop)


async def _unless_stopped(starting: Coroutine[Any, Any, None], stop: Stop) -> bool:
    start = asyncio.ensure_future(starting)
    waiting = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({start, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if start.done():
            start.result()
            return not stop.asked
        return False
    finally:
        for task in (start, waiting):
            task.cancel()
        await asyncio.gather(start, waiting, return_exceptions=True)


async def _flow(app: App, stop: Stop, ready: Callable[[], None] | None) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(app.dispatch.run(), name="dispatch")
        group.create_task(app.publish.run(), name="publish")
        timers = [
            group.create_task(app.intake.run(), name="intake"),
            group.create_task(app.settle.run(), name="settle"),
            group.create_task(app.gauges.run(), name="gauges"),
        ]
        app.started = True
        _calm_garbage_collection()
        if ready is not None:
            ready()
        _log.info("ready", engine=app.judge.engine, model=app.judge.model)
        await stop.wait()
        await _drain(app, stop)
        for task in timers:
            task.cancel()
        app.dispatch.close()
        app.publish.close()


def _calm_garbage_collection() -> None:
    # What lives now lives as long as the worker; thousands of events in flight are no garbage
    # either, and looking through them at every few hundred allocations took a fifth of the time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def _drain(app: App, stop: Stop) -> None:
    budget = app.settings.delivery.drain_timeout_s
    _log.info("draining", in_flight=app.assignments.in_flight(), budget_s=budget)
    app.intake.close()
    finish = asyncio.ensure_future(app.settle.finish(None, monotonic() + budget))
    hurry = asyncio.ensure_future(stop.wait_hurry())
    try:
        await asyncio.wait({finish, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if finish.done():
            left = finish.result()
        else:
            finish.cancel()
            await asyncio.gather(finish, return_exceptions=True)
            left = await app.settle.finish(None, monotonic())
    finally:
        hurry.cancel()
        await asyncio.gather(hurry, return_exceptions=True)
    given_back = app.assignments.close([it.partition for it in list(app.assignments)])
    app.dispatch.withdraw()
    _log.info("drained", given_back=given_back, left=left)


def _leaves(group: BaseExceptionGroup[AfterguardError]) -> list[AfterguardError]:
    found: list[AfterguardError] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
