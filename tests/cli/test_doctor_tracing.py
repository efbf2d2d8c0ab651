"""`afterguard doctor` on tracing: nothing while it is off, else whether spans are taken."""

from pathlib import Path

import pytest
from tests.telemetry.collector import Collector, collecting

from afterguard.cli.doctor_looks import Finding, examine
from afterguard.settings import Settings

# aiokafka logs an error for each broker that is away.
pytestmark = pytest.mark.usefixtures("expected_errors")

AWAY = {"bootstrap_servers": "127.0.0.1:9", "start_timeout_s": 0.2}


async def found(**tracing: object) -> dict[str, Finding]:
    """The findings by their subject."""
    values = {"kafka": AWAY, "engine": {"kind": "null"}, "tracing": tracing}
    return {it.subject: it for it in await examine(Settings.model_validate(values))}


async def test_tracing_that_is_off_is_not_looked_at() -> None:
    assert "tracing" not in await found()


async def test_a_collector_that_takes_an_export_is_well_and_got_no_span() -> None:
    async with collecting() as collector:
        it = (await found(enabled=True, endpoint=collector.endpoint))["tracing"]
    assert it.ok
    assert (len(collector.bodies), collector.spans) == (1, [])


async def test_a_collector_that_refuses_is_a_note_since_the_worker_goes_on() -> None:
    async with collecting(Collector(status=401)) as collector:
        it = (await found(enabled=True, endpoint=collector.endpoint))["tracing"]
    assert it.ok is None
    assert "tracing.headers_file" in it.remedy


async def test_a_file_of_headers_that_is_missing_is_wrong(tmp_path: Path) -> None:
    it = (await found(enabled=True, headers_file=str(tmp_path / "none")))["tracing"]
    assert it.ok is False
    assert "tracing.headers_file" in it.found
