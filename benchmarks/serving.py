"""A whole worker that serves until its measurement is done."""

import asyncio
from collections.abc import Awaitable, Callable

from afterguard.app import App, build
from afterguard.lifecycle import Stop, serve
from afterguard.settings import Settings
from afterguard.telemetry.logs import configure_logs
from afterguard.telemetry.settings import LogSettings
from benchmarks.child import Figures

_LOOK_S = 0.005


async def served(settings: Settings, measure: Callable[[App], Awaitable[Figures]]) -> Figures:
    """The figures of `measure`, which runs beside the worker and then ends it.

    Raises:
        SystemExit: The worker ended before; with its exit code.
    """
    configure_logs(LogSettings(level="warning"))
    app, stop = build(settings), Stop()
    found: Figures | None = None

    async def watch() -> None:
        nonlocal found
        found = await measure(app)
        stop.ask()

    watching = asyncio.create_task(watch())
    code = await serve(app, stop)
    watching.cancel()
    if code or found is None:
        raise SystemExit(code or 1)
    return found


async def settled(app: App, count: int) -> None:
    """Wait until so many events are settled."""
    while app.assignments.settled < count:
        await asyncio.sleep(_LOOK_S)
