"""`afterguard run`: the worker."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import structlog
import typer
import uvloop

from afterguard.app import build
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.contracts.errors import TopicMissing
from afterguard.contracts.exit_codes import ExitCode
from afterguard.lifecycle import Stop, serve
from afterguard.settings import Settings, load_settings
from afterguard.stream.kafka.admin import missing_topics
from afterguard.telemetry.logs import configure_logs

_log = structlog.get_logger(__name__)


def run_command(
    config: Path | None = CONFIG,
) -> None:
    """Run the worker until SIGTERM or Ctrl-C; a second signal gives back what is in flight.

    Exit codes: 0 drained, 78 configuration, 80 the engine died, 81 the stream was lost.

    Example:  AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS=broker:9092 afterguard run
    """
    with told_plainly():
        settings = load_settings(config)
        configure_logs(settings.log)
        raise typer.Exit(uvloop.run(_run(settings)))


async def _run(settings: Settings) -> ExitCode:
    stop = Stop()
    stop.on_signals()
    app = build(settings, progress=lambda stage: _log.info("engine", stage=stage))
    if not await _unless_asked(require_topics(settings), stop):
        return ExitCode.DRAINED
    return await serve(app, stop)


async def _unless_asked(look: Coroutine[Any, Any, None], stop: Stop) -> bool:
    """Waits for the look; False when the worker was asked to end meanwhile."""
    looking, asked = asyncio.ensure_future(look), asyncio.ensure_future(stop.wait())
    await asyncio.wait({looking, asked}, return_when=asyncio.FIRST_COMPLETED)
    for task in (looking, asked):
        task.cancel()
    await asyncio.wait({looking, asked})
    if stop.asked:
        return False
    looking.result()
    return True


async def require_topics(settings: Settings) -> None:
    """Refuse to start without the topics: making them silently would hide a wrong name.

    Raises:
        TopicMissing: Names them and the command that makes them.
    """
    missing = await missing_topics(settings.kafka, settings.topics.model_dump().values())
    if missing:
        raise TopicMissing(
            f"topics missing: {', '.join(sorted(missing))}; `afterguard topics create` makes them"
        )
