"""The way of spans to the collector: whatever happens on it, the flow goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import until
from tests.samples import answered
from tests.telemetry.collector import Collector, collecting
from tests.telemetry.traced_worker import TracedWorker, traced

from afterguard.contracts.exit_codes import ExitCode

NOWHERE = "http://127.0.0.1:9"


def told(logs: list[Any], words: str) -> list[Any]:
    return [it for it in logs if words in it["event"]]


async def test_spans_are_exported_and_counted_and_the_last_ones_leave_with_the_drain() -> None:
    async with traced() as worker:
        for number in range(20):
            worker.put(number)
        spans = await worker.work(20)
    assert len(spans) == 20 * 5
    assert [worker.counted(it) for it in ("exported", "failed", "dropped")] == [100, 0, 0]


async def test_a_collector_that_is_away_costs_spans_and_nothing_else() -> None:
    worker = TracedWorker(Collector(), tracing={"endpoint": NOWHERE, "timeout_s": 0.2})
    with capture_logs() as logs:
        for number in range(600):
            worker.put(number)
        assert await worker.work(600) == []
    assert worker.counted("failed") == 600 * 5
    # One line, however many batches there were.
    assert len(told(logs, "took no spans")) == 1
    assert NOWHERE not in str(logs)


async def test_a_collector_that_comes_back_gets_what_comes_then() -> None:
    collector = Collector(status=400)
    with capture_logs() as logs:
        async with collecting(collector):
            worker = TracedWorker(collector)
            serving = worker.serve()
            worker.put(1)
            await until(lambda: worker.counted("failed"))
            collector.status = 200
            worker.put(2)
            await until(lambda: collector.spans)
            worker.stop.ask()
            assert await serving is ExitCode.DRAINED
    assert len(collector.named("process chat.events")) == 1
    assert len(told(logs, "took no spans")) == len(told(logs, "takes spans again")) == 1


async def test_what_finds_the_queue_full_is_dropped_by_whole_events_and_counted() -> None:
    collector = Collector(hangs=True)
    async with collecting(collector):
        worker = TracedWorker(
            collector, tracing={"queue_spans": 128, "flush_timeout_s": 0, "timeout_s": 30}
        )
        for number in range(200):
            worker.put(number)
        await worker.work(200)
    # 25 events of five spans fit.
    assert worker.counted("dropped") == (200 - 25) * 5


async def test_a_collector_that_hangs_does_not_hold_up_the_end() -> None:
    collector = Collector(hangs=True)
    async with collecting(collector):
        worker = TracedWorker(collector, tracing={"flush_timeout_s": 0.05, "timeout_s": 3_600})
        with capture_logs() as logs:
            worker.put(1)
            async with asyncio.timeout(30):
                await worker.work(1)
    (line,) = told(logs, "not sent in time")
    assert line["spans"] == 5


async def test_headers_come_from_their_file_and_are_not_logged(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("# of the vendor\nauthorization: Bearer very-secret\n\nx-scope: one: two\n")
    with capture_logs() as logs:
        async with traced(tracing={"headers_file": str(file)}) as worker:
            worker.put(1)
            await worker.work(1)
    (headers, *_) = worker.collector.headers
    assert (headers["authorization"], headers["x-scope"]) == ("Bearer very-secret", "one: two")
    assert "very-secret" not in str(logs)


async def test_the_worker_says_who_it_is_and_the_settings_win_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "theirs")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "region=theirs,zone=theirs")
    async with traced(tracing={"resource": {"region": "ours"}}) as worker:
        worker.put(1)
        await worker.work(1)
    (resource, *_) = worker.collector.resources
    assert (resource["service.name"], resource["region"], resource["zone"]) == (
        "theirs",
        "ours",
        "theirs",
    )
    assert resource["service.version"]
    assert resource["service.instance.id"]


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", ""),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/v1/traces"),
    ],
)
async def test_without_an_endpoint_of_ours_the_standard_variables_hold(
    variable: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-scope=theirs")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    async with collecting() as collector:
        monkeypatch.setenv(variable, collector.endpoint + path)
        worker = TracedWorker(collector, tracing={"endpoint": None})
        worker.put(1)
        assert await worker.work(1)
    assert collector.headers[0]["x-scope"] == "theirs"


async def test_an_endpoint_of_ours_wins_over_the_standard_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", NOWHERE)
    async with traced(ScriptedJudge(answered(False))) as worker:
        worker.put(1)
        assert await worker.work(1)
