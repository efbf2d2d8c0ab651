"""The section `tracing`: what it refuses, and that off means nothing is loaded."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from afterguard.contracts.errors import SettingsError
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics
from afterguard.telemetry.tracing import NO_TRACING
from afterguard.telemetry.tracing_settings import TracingSettings
from afterguard.tracing_room import tracing_room

LOADED = """
import asyncio, sys
from tests.memory_worker import MemoryWorker, until

async def main():
    worker = MemoryWorker()
    worker.send(1)
    serving = worker.serve()
    await until(lambda: worker.committed == 1)
    worker.stop.ask()
    await serving

asyncio.run(main())
ours = ("opentelemetry.exporter", "opentelemetry.sdk.trace", "afterguard.telemetry.span_export")
print([name for name in sys.modules if name.startswith(ours)])
"""


def on(**fields: object) -> Settings:
    return Settings(tracing=TracingSettings.model_validate({"enabled": True, **fields}))


def test_tracing_is_off_unless_it_is_asked_for() -> None:
    room = tracing_room(Settings(), Metrics())
    assert room.tracing is NO_TRACING


def test_a_worker_without_tracing_loads_nothing_that_makes_or_sends_spans() -> None:
    # The client of Redis loads OpenTelemetry's metrics by itself where they are installed.
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=True, timeout=180
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afterguard.tracing_room.find_spec", lambda _: None)
    with pytest.raises(SettingsError, match=r"tracing\.enabled: .*'afterguard\[tracing\]'"):
        tracing_room(on(), Metrics())


@pytest.mark.parametrize(
    "endpoint",
    ["otel-collector:4318", "grpc://otel:4317", "http://", "http://otel:port", "http://[otel"],
)
def test_an_address_that_is_none_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="must look like http://otel-collector:4318"):
        TracingSettings(endpoint=endpoint)


@pytest.mark.parametrize("endpoint", ["http://me:pw@otel:4318", "https://otel/?key=pw"])
def test_credentials_in_the_address_are_refused_and_not_repeated(endpoint: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TracingSettings(endpoint=endpoint)
    message = refused.value.errors(include_input=False)[0]["msg"]
    assert "tracing.headers_file" in message
    assert "pw" not in message


@pytest.mark.parametrize("line", ["no colon", "bad name: x", "x:", "authorization: a\x00b"])
def test_a_file_of_headers_is_refused_by_its_line_which_is_not_quoted(
    line: str, tmp_path: Path
) -> None:
    file = tmp_path / "headers"
    file.write_text(f"x-scope: one\n{line}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        tracing_room(on(headers_file=file), Metrics())
    assert refused.value.problems == [
        f"tracing.headers_file: line 2 of {file} must be `name: value`"
    ]


def test_a_file_of_headers_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"tracing\.headers_file: .* cannot be read"):
        tracing_room(on(headers_file=tmp_path / "none"), Metrics())
