"""`afterguard run`: the worker."""

from pathlib import Path

import structlog
import typer
import uvloop

from afterguard.app import build
from afterguard.cli.failing import told_plainly
from afterguard.contracts.errors import TopicMissing
from afterguard.lifecycle import ExitCode, Stop, serve
from afterguard.settings import Settings, load_settings
from afterguard.stream.kafka.admin import missing_topics
from afterguard.telemetry.logs import configure_logs

_log = structlog.get_logger(__name__)


def run_command(
    config: Path | None = typer.Option(
        None, "--config", "-c", help="YAML file of settings.", envvar="AFTERGUARD_CONFIG"
    ),
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
    await require_topics(settings)
    return await serve(app, stop)


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
