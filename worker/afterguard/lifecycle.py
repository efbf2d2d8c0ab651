"""Lifecycle: start in order, serve, drain, and end with an exit code that says why."""

import asyncio
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

import structlog

from afterguard.app import App
from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.exit_codes import ExitCode, exit_code
from afterguard.garbage import calm_collector, collect_garbage
from afterguard.parts import Act, Parts
from afterguard.stream.settings import LAST_COMMIT_S

_log = structlog.get_logger(__name__)

_PART_END_S = 15.0
_LAST_WRITE_S = 5.0
_FRAMES = 8

Failure = TypeVar("Failure", bound=BaseException)


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


async def serve(
    app: App,
    stop: Stop,
    *,
    ready: Callable[[], None] | None = None,
    part_end_s: float | None = None,
) -> ExitCode:
    """Run a worker from start to drained.

    Args:
        app: The rooms, built and not started.
        stop: The wish to end.
        ready: Called once, when the first record may come.
        part_end_s: No part may hold up the end for longer, seconds; by default a little longer
            than the engine may take.

    Returns:
        How it ended. Errors are logged here and not raised.
    """
    code = ExitCode.DRAINED
    limit_s = part_end_s or _PART_END_S + app.settings.engine.stop_timeout_s
    try:
        async with Parts(limit_s=limit_s, asked=stop.wait) as parts:
            if await _start(app, parts):
                await _flow(app, stop, ready)
    except* AfterguardError as errors:
        code = exit_code(errors)
        for error in _leaves(errors):
            _log.error("the worker ends", error=type(error).__name__, detail=str(error))
    except* Exception as unforeseen:  # noqa: BLE001 (the last place where it can be told)
        code = max(code, ExitCode.UNFORESEEN)
        for fault in _leaves(unforeseen):
            # Its text may quote a message, so only its type and its place are told.
            _log.error("the worker ends", error=type(fault).__name__, frames=_frames(fault))
    fates = app.assignments.fates._asdict()
    budget = app.budget.statistics()
    _log.info(
        "ended",
        exit_code=code.value,
        meaning=code.name.lower(),
        fates=fates,
        tokens=budget.tokens,
        events=budget.events,
    )
    return code


async def _start(app: App, parts: Parts) -> bool:
    """Start everything that is slow or outside, in order; False when asked to stop meanwhile."""
    in_order: list[tuple[str, Act, Act]] = []
    if app.http is not None:
        in_order.append(("http", app.http.start, app.http.stop))
    # Ended after all that makes spans.
    in_order.append(("tracing", app.tracing.start, app.tracing.stop))
    in_order.append(("engine", app.judge.start, app.judge.stop))
    in_order.append(("classifiers", app.classifiers.start, app.classifiers.stop))
    if app.redis is not None:
        in_order.append(("redis", app.redis.start, app.redis.stop))
    if app.attempts is not None:
        in_order.append(("attempts", app.attempts.start, app.attempts.stop))
    # What is in force must be known before the first event is admitted.
    in_order.append(("policies", app.policies.start, app.policies.stop))
    if app.producer is not None:
        in_order.append(("producer", app.producer.start, app.producer.stop))
    # Starts with the first assignment, and must be ended whatever comes of the consumer.
    in_order.append(("settle", _nothing, app.settle.stop))
    in_order.append(("consumer", lambda: app.consumer.start(app.rebalance), app.consumer.stop))
    for name, start, end in in_order:
        if not await parts.start(name, start, end):
            return False
    return True


async def _flow(app: App, stop: Stop, ready: Callable[[], None] | None) -> None:
    try:
        with calm_collector():
            await _serve_until_stopped(app, stop, ready)
    except BaseException:
        # What is in flight will not be finished any more, and the consumer would wait for it when
        # it leaves: what is settled is committed now, the rest another owner reads again.
        await _commit_and_give_back(app)
        raise


async def _serve_until_stopped(app: App, stop: Stop, ready: Callable[[], None] | None) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(app.dispatch.run(), name="dispatch")
        publishing = group.create_task(app.publish.run(), name="publish")
        timers = [
            group.create_task(app.intake.run(), name="intake"),
            group.create_task(app.settle.run(), name="settle"),
            group.create_task(app.gauges.run(), name="gauges"),
            group.create_task(app.steering.run(), name="budget steering"),
            group.create_task(collect_garbage(), name="garbage"),
            group.create_task(app.engine_watch.run(), name="engine watch"),
            group.create_task(app.stuck_watch.run(), name="stuck watch"),
            group.create_task(app.policies.run(), name="policies"),
        ]
        app.started = True
        if ready is not None:
            ready()
        port = app.http.port if app.http is not None else None
        _log.info("ready", engine=app.judge.engine, model=app.judge.model, http_port=port)
        await stop.wait()
        await _drain(app, stop)
        for task in timers:
            task.cancel()
        app.dispatch.close()
        app.publish.close()
        await asyncio.wait({publishing}, timeout=_LAST_WRITE_S)
        # What is still unwritten belongs to events that were given back.
        publishing.cancel()


async def _drain(app: App, stop: Stop) -> None:
    budget = app.settings.delivery.drain_timeout_s
    _log.info("draining", in_flight=app.assignments.in_flight(), budget_s=budget)
    app.draining = True
    app.intake.close()
    finish = asyncio.ensure_future(_finish(app, budget))
    hurry = asyncio.ensure_future(stop.wait_hurry())
    try:
        await asyncio.wait({finish, hurry}, return_when=asyncio.FIRST_COMPLETED)
        if finish.done():
            left = finish.result()
        else:
            finish.cancel()
            await asyncio.wait({finish})
            left = await _finish(app, 0.0)
    finally:
        finish.cancel()
        hurry.cancel()
        await asyncio.gather(finish, hurry, return_exceptions=True)
    given_back = _give_back(app)
    app.dispatch.withdraw()
    _log.info("drained", given_back=given_back, left=left)


async def _commit_and_give_back(app: App) -> None:
    try:
        await _finish(app, 0.0)
    except AfterguardError as error:
        _log.warning("the last commit failed", error=type(error).__name__)
    finally:
        _log.info("given back", events=_give_back(app))


async def _finish(app: App, wait_s: float) -> int:
    wait_until = monotonic() + wait_s
    return await app.settle.finish(None, wait_until=wait_until, end_by=wait_until + LAST_COMMIT_S)


async def _nothing() -> None:
    pass


def _give_back(app: App) -> int:
    return app.settle.close([it.partition for it in app.assignments])


def _leaves(group: BaseExceptionGroup[Failure]) -> list[Failure]:
    found: list[Failure] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def _frames(error: BaseException) -> list[str]:
    return [
        f"{Path(it.filename).name}:{it.lineno} {it.name}"
        for it in traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    ]
