"""A whole worker that sends spans to a collector in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from tests.memory_worker import MemoryWorker, until
from tests.samples import event_fields
from tests.telemetry.collector import Collected, Collector, collecting

from afterguard.app import build
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import Headers, OutputRecord
from afterguard.engine.null_engine import NullJudge
from afterguard.flow.ports import Judge
from afterguard.settings import Settings
from afterguard.stream.memory import MemoryConsumer
from afterguard.stream.memory_transactions import MemoryTransactionalProducer

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{PARENT}-01".encode()
UNSAMPLED = f"00-{TRACE}-{PARENT}-00".encode()
GROUP = "afterguard"


class TracedWorker(MemoryWorker):
    """As `MemoryWorker`, with tracing on.

    Args:
        collector: Where its spans go.
        judge: The engine; the null engine when absent.
        settings: Sections to change.
    """

    def __init__(self, collector: Collector, judge: Judge | None = None, **settings: Any) -> None:
        tracing = {
            "enabled": True,
            "endpoint": collector.endpoint,
            "sample_share": 0.0,
            **settings.pop("tracing", {}),
        }
        exactly = settings.get("delivery", {}).get("guarantee") == "exactly_once"
        super().__init__(judge, tracing=tracing, **settings)
        self.collector = collector
        if exactly:
            self.app = self._exactly_once(self.app.settings, judge or NullJudge())

    def put(
        self,
        number: int,
        *,
        trace: bytes | None = SAMPLED,
        state: bytes | None = None,
        **event: Any,
    ) -> None:
        """Put an event of this number into the log, with a trace context."""
        fields = event_fields(**{"event_id": f"e-{number}", **event})
        self.raw(orjson.dumps(fields), trace=trace, state=state)

    def raw(
        self, value: bytes, *, trace: bytes | None = SAMPLED, state: bytes | None = None
    ) -> None:
        """Put these bytes into the log."""
        headers: Headers = () if trace is None else (("traceparent", trace),)
        if state is not None:
            headers = (*headers, ("tracestate", state))
        self.log.append(OutputRecord(self.topics.events, b"c-1", value, headers, partition=0))

    async def work(self, count: int) -> list[Collected]:
        """Serve until so many records are committed, drain, and say what the collector has."""
        serving = self.serve()
        await until(lambda: self.committed == count)
        self.stop.ask()
        assert await serving is ExitCode.DRAINED
        return self.collector.spans

    def trace_of(self, topic: str) -> list[str]:
        """The `traceparent` of each record of a topic."""
        return [(it.header("traceparent") or b"").decode() for it in self.log.records(topic)]

    def counted(self, result: str) -> float:
        """Spans of this fate."""
        registry = self.app.metrics.registry
        labels = {"result": result}
        return registry.get_sample_value("afterguard_trace_spans_total", labels) or 0.0

    def _exactly_once(self, settings: Settings, judge: Judge) -> Any:
        return build(
            settings,
            judge=judge,
            consumer=MemoryConsumer(self.log, self.topics.events, GROUP),
            transactional=lambda it: MemoryTransactionalProducer(self.log, GROUP, it),
        )


@asynccontextmanager
async def traced(judge: Judge | None = None, **settings: Any) -> AsyncIterator[TracedWorker]:
    """A worker beside a collector that listens."""
    async with collecting() as collector:
        yield TracedWorker(collector, judge, **settings)
