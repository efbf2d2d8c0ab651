"""A collector in this process: takes what a worker exports and keeps it, parsed and as bytes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass
class Collected:
    """One span as the collector got it, and what the tests ask of it."""

    span: Span

    @property
    def name(self) -> str:
        """Its name."""
        return self.span.name

    @property
    def trace_id(self) -> str:
        """As a `traceparent` has it."""
        return self.span.trace_id.hex()

    @property
    def span_id(self) -> str:
        """As a `traceparent` has it."""
        return self.span.span_id.hex()

    @property
    def parent_id(self) -> str:
        """As a `traceparent` has it; empty for a root."""
        return self.span.parent_span_id.hex()

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes as Python has them."""
        return {it.key: _python(it.value) for it in self.span.attributes}

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """Its events: names and attributes."""
        return [
            (it.name, {at.key: _python(at.value) for at in it.attributes})
            for it in self.span.events
        ]

    @property
    def fault(self) -> str | None:
        """The description of its error; None when it has none."""
        status = self.span.status
        return status.message if status.code == status.STATUS_CODE_ERROR else None


@dataclass
class Collector:
    """Where spans arrive.

    Attributes:
        port: It listens on, on this machine.
        bodies: What was sent, uncompressed.
        headers: Of each request, their names in small letters.
        resources: Attributes of each resource.
        status: What it answers.
        hangs: Whether it takes requests and never answers.
    """

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    spans: list[Collected] = field(default_factory=list)
    status: int = 200
    hangs: bool = False

    @property
    def endpoint(self) -> str:
        """Its address, for `tracing.endpoint`."""
        return f"http://127.0.0.1:{self.port}"

    def named(self, name: str) -> list[Collected]:
        """The spans of this name."""
        return [it for it in self.spans if it.name == name]

    def one(self, name: str) -> Collected:
        """The only span of this name."""
        (found,) = self.named(name)
        return found

    async def take(self, request: web.Request) -> web.Response:
        """`POST /v1/traces`."""
        if self.hangs:
            await asyncio.sleep(3600)
        body = await request.read()
        if self.status == 200:
            self.bodies.append(body)
            self.headers.append({name.lower(): it for name, it in request.headers.items()})
            for of in ExportTraceServiceRequest.FromString(body).resource_spans:
                self.resources.append({it.key: _python(it.value) for it in of.resource.attributes})
                for scope in of.scope_spans:
                    self.spans += [Collected(span) for span in scope.spans]
        return web.Response(status=self.status)


@asynccontextmanager
async def collecting(collector: Collector | None = None) -> AsyncIterator[Collector]:
    """A collector that listens."""
    collector = collector or Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", collector.port).start()
        collector.port = runner.addresses[0][1]
        yield collector
    finally:
        await runner.cleanup()


def _python(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_python(it) for it in value.array_value.values]
    return getattr(value, kind) if kind else None
