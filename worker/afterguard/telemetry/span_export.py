"""Sends spans to a collector; the only file that knows OpenTelemetry, and it is imported only then.

The SDK's batch processor has a thread of its own for it. A collector that is slow or away costs
spans and nothing else: they wait in a queue of fixed size, and what finds it full is dropped, all
spans of an event together, so that no trace is torn.
"""

import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    set_span_in_context,
)
from opentelemetry.trace.status import Status, StatusCode

from afterguard import __version__
from afterguard.telemetry.span import Kind, Span
from afterguard.telemetry.tracing_settings import TracingSettings
from afterguard.telemetry.trail import TraceContext

_log = structlog.get_logger(__name__)

Result = Literal["exported", "failed", "dropped"]
Count = Callable[[Result, int], None]

_PATH: Final = "/v1/traces"
_BATCH: Final = 512
_EVERY_MS: Final = 1_000.0
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
}
# Ours says once what became of the collector; theirs would say it for every batch.
_THEIR_LOGS: Final = (
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.sdk._shared_internal",
    "urllib3.connectionpool",
)


class SpanExport:
    """Turns spans into OpenTelemetry's and has them sent.

    Args:
        settings: Where to, and how much may wait.
        headers: Sent with each export; None for what the environment says.
        count: Told what became of spans; called in any thread.
    """

    def __init__(
        self, settings: TracingSettings, headers: Mapping[str, str] | None, count: Count
    ) -> None:
        self._count, self._room = count, settings.queue_spans
        for name in _THEIR_LOGS:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        self._exporter = _Watched(
            OTLPSpanExporter(
                endpoint=_address(settings.endpoint),
                headers=dict(headers) if headers is not None else None,
                timeout=settings.timeout_s,
            ),
            count,
        )
        self._resource = _resource(settings.resource)
        self._ids = _GivenIds()
        self._provider: TracerProvider | None = None
        self._tracer: Tracer | None = None
        self._handed = 0

    def start(self) -> None:
        """Start the thread that sends."""
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=self._resource,
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                # Ours is the smaller one, since it drops whole events.
                max_queue_size=self._room + _BATCH,
                schedule_delay_millis=_EVERY_MS,
                max_export_batch_size=min(_BATCH, self._room),
            )
        )
        self._tracer = self._provider.get_tracer("afterguard", __version__)

    def hand_in(self, context: TraceContext, spans: Sequence[Span]) -> None:
        """Take the spans of one event; returns at once."""
        tracer = self._tracer
        waiting = self._handed - self._exporter.done
        if tracer is None or waiting + len(spans) > self._room:
            self._count("dropped", len(spans))
            return
        self._handed += len(spans)
        for span in spans:
            self._end(tracer, context, span)

    def reaches(self) -> bool:
        """Whether the collector takes an export, one without spans; may take `timeout_s`."""
        return self._exporter.export(()) is SpanExportResult.SUCCESS

    def end(self) -> None:
        """Send what waits, then end the thread; may take half a minute."""
        if self._provider is not None:
            self._provider.shutdown()

    def give_up(self) -> int:
        """Try no longer to send what is left; `end` then comes to its end.

        Returns:
            How many spans that are.
        """
        left = self._handed - self._exporter.done
        self._exporter.shutdown()
        return left

    def _end(self, tracer: Tracer, context: TraceContext, span: Span) -> None:
        self._ids.trace_id, self._ids.span_id = context.trace_id, span.span_id
        above = None
        if span.parent_id is not None:
            # The context's state is the producers' own and may hold anything: not sent.
            above = set_span_in_context(
                NonRecordingSpan(
                    SpanContext(
                        context.trace_id,
                        span.parent_id,
                        is_remote=span.parent_id == context.parent_id,
                        trace_flags=TraceFlags(context.flags),
                    )
                )
            )
        made = tracer.start_span(
            span.name,
            above,
            _KINDS[span.kind],
            span.attributes,
            start_time=span.began,
            record_exception=False,
            set_status_on_exception=False,
        )
        for happening in span.events:
            made.add_event(happening.name, happening.attributes, happening.at)
        if span.fault is not None:
            made.set_attribute("error.type", span.fault)
            made.set_status(Status(StatusCode.ERROR, span.fault))
        made.end(span.ended)


class _GivenIds(IdGenerator):
    """Gives ids that were chosen before: outputs of an event name its spans while it goes on."""

    trace_id = span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class _Watched(SpanExporter):
    """Counts what is sent, and logs when the collector goes away and when it is back."""

    def __init__(self, exporter: SpanExporter, count: Count) -> None:
        self._exporter, self._count = exporter, count
        self._away = False
        self.done = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        reached = result is SpanExportResult.SUCCESS
        self.done += len(spans)
        self._count("exported" if reached else "failed", len(spans))
        if self._away is reached:
            self._away = not reached
            if reached:
                _log.info("the collector of traces takes spans again")
            else:
                _log.warning(
                    "the collector of traces took no spans; the flow goes on without them, and "
                    "it is tried again with the next ones",
                    setting="tracing.endpoint",
                )
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _address(endpoint: str | None) -> str | None:
    """Where spans are sent to; None for what the environment says."""
    if endpoint is None or endpoint.rstrip("/").endswith(_PATH):
        return endpoint
    return endpoint.rstrip("/") + _PATH


def _resource(given: Mapping[str, str]) -> Resource:
    ours = {
        "service.name": "afterguard",
        "service.version": __version__,
        "service.instance.id": socket.gethostname(),
    }
    detected = OTELResourceDetector().detect()
    return Resource(ours).merge(detected).merge(Resource(dict(given)))
