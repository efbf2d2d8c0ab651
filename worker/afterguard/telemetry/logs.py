"""Logs: structlog for everything, the engine's and the client libraries' logs included."""

import logging
import sys
from typing import TYPE_CHECKING

import structlog

from afterguard.telemetry.redaction import redact
from afterguard.telemetry.settings import LogSettings

if TYPE_CHECKING:
    from structlog.types import Processor

# Chatty below this level, and of no use to an operator.
_QUIET = {"aiokafka": logging.WARNING, "asyncio": logging.WARNING, "httpx": logging.WARNING}


def configure_logs(settings: LogSettings) -> None:
    """Send all logs to stderr, one JSON object a line (or coloured, for a person)."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    last: Processor = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                last,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
