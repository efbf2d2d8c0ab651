"""The tracing's part of the composition: follows nothing unless the settings say so."""

import asyncio
import re
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import structlog

from afterguard.contracts.errors import SettingsError
from afterguard.engine.daemon_thread import in_daemon_thread
from afterguard.parts import Act
from afterguard.security.secret_files import read_secret
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics
from afterguard.telemetry.spans import Names
from afterguard.telemetry.tracing import NO_TRACING, SampledTracing, Tracing

_log = structlog.get_logger(__name__)

_PACKAGES: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
_SETTING: Final = "tracing.headers_file"
_FLUSH: Final = "tracing.flush_timeout_s"
# As HTTP has header fields (RFC 9110, 5.1 and 5.5), and no line break in a value.
_HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([\x21-\x7e][\t\x20-\x7e]*)")


class TracingRoom(NamedTuple):
    """Who follows events, and what is started and ended for it.

    Attributes:
        tracing: Who follows events.
        start: What is started before the first.
        stop: What is ended after the last.
        reaches: Whether the collector takes exports; blocks. None while tracing is off.
    """

    tracing: Tracing
    start: Act
    stop: Act
    reaches: Callable[[], bool] | None = None


def tracing_room(settings: Settings, metrics: Metrics) -> TracingRoom:
    """The tracing that the settings describe.

    Raises:
        SettingsError: OpenTelemetry is not installed, or the file of headers cannot be used.
    """
    section = settings.tracing
    if not section.enabled:
        return TracingRoom(NO_TRACING, _nothing, _nothing)
    _require()
    from afterguard.telemetry.span_export import SpanExport  # noqa: PLC0415 (optional)

    headers = None if section.headers_file is None else _headers(section.headers_file)
    export = SpanExport(
        section, headers, lambda result, spans: metrics.trace_spans[result].inc(spans)
    )
    names = Names(settings.kafka.group_id, settings.topics.interventions)

    async def start() -> None:
        export.start()

    async def stop() -> None:
        # A thread that sends to a collector that is away must not hold up the end.
        ending = in_daemon_thread(export.end, "last spans")
        await asyncio.wait({ending}, timeout=section.flush_timeout_s)
        if not ending.done():
            _log.warning(
                "the last spans were not sent in time", spans=export.give_up(), setting=_FLUSH
            )

    return TracingRoom(
        SampledTracing(export.hand_in, names, share=section.sample_share),
        start,
        stop,
        export.reaches,
    )


def _require() -> None:
    try:
        missing = [it for it in _PACKAGES if find_spec(it) is None]
    except ModuleNotFoundError:
        # Of a name with dots the parents are imported.
        missing = list(_PACKAGES)
    if missing:
        remedy = "pip install 'afterguard[tracing]', or leave tracing off"
        raise SettingsError([f"tracing.enabled: OpenTelemetry is not installed: {remedy}"])


def _headers(file: Path) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(read_secret(file, _SETTING).splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        header = _HEADER.fullmatch(line.strip())
        if header is None:
            # The line may hold a credential, so it is not quoted.
            raise SettingsError([f"{_SETTING}: line {number} of {file} must be `name: value`"])
        found[header[1]] = header[2]
    return found


async def _nothing() -> None:
    pass
