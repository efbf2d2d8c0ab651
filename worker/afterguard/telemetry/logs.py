"""Logs: structlog for everything, the engine's and the client libraries' logs included."""

import logging
import sys
from typing import TYPE_CHECKING

import structlog

from afterguard.telemetry.redaction import redact
from afterguard.telemetry.settings import LogFormat, LogSettings

if TYPE_CHECKING:
    from structlog.types import Processor

# Chatty below this level, and of no use to an operator. Some would tell too much: requests of
# aiokafka hold the password of PLAIN, those of older versions of openai what people said.
_QUIET = dict.fromkeys(
    ("aiokafka", "asyncio", "httpcore", "httpcore2", "httpx", "httpx2", "openai"), logging.WARNING
)


_SHARED: "list[Processor]" = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    # A trace is a text like any other, so it is made before texts are looked through.
    structlog.processors.format_exc_info,
    redact,
]


def configure_logs(settings: LogSettings) -> None:
    """Send all logs to stderr, one JSON object a line (or coloured, for a person)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(line_formatter(settings.format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    for name, level in _QUIET.items():
        logging.getLogger(name).setLevel(max(level, root.level))
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def line_formatter(form: LogFormat) -> logging.Formatter:
    """Makes one line of a record, whoever logged it."""
    last: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            last,
        ],
    )


def form_in_use() -> LogFormat:
    """The form that `configure_logs` was given; JSON when it was never called."""
    for handler in logging.getLogger().handlers:
        formatter = handler.formatter
        if isinstance(formatter, structlog.stdlib.ProcessorFormatter):
            console = isinstance(formatter.processors[-1], structlog.dev.ConsoleRenderer)
            return "console" if console else "json"
    return "json"
