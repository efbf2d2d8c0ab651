"""Probes say what is wrong; metrics of several registries stand on one page."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter

from afterguard.contracts.errors import SettingsError
from afterguard.health.server import HealthServer, ProbeResult
from afterguard.health.settings import HttpSettings

STATE = {"live": True, "ready": False}


@pytest.fixture
async def server() -> AsyncIterator[HealthServer]:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    Counter("ours", "of the worker", registry=ours).inc()
    Counter("theirs", "of the engine", registry=theirs).inc(2)
    made = HealthServer(
        HttpSettings(port=0),
        live={"loop": lambda: ProbeResult(STATE["live"], "polls")},
        ready={"engine": lambda: ProbeResult(STATE["ready"], "loading")},
        registries=[ours, theirs],
    )
    await made.start()
    yield made
    await made.stop()


async def _get(server: HealthServer, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{server.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_a_live_worker_that_is_not_ready_says_which_probe_fails(
    server: HealthServer,
) -> None:
    assert (await _get(server, "/livez"))[0] == 200
    status, body = await _get(server, "/readyz")
    assert status == 503
    assert '"engine": {"ok": false, "detail": "loading"}' in body


async def test_metrics_of_all_registries_are_shown(server: HealthServer) -> None:
    status, body = await _get(server, "/metrics")
    assert status == 200
    assert "ours_total 1.0" in body
    assert "theirs_total 2.0" in body


async def test_prometheus_gets_openmetrics_because_it_asks_for_it(server: HealthServer) -> None:
    accept = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{server.port}/metrics", headers=accept) as answer,
    ):
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await answer.text()).endswith("theirs_total 2.0\n# EOF\n")


async def test_a_port_in_use_names_the_setting(server: HealthServer) -> None:
    second = HealthServer(HttpSettings(port=server.port), live={}, ready={}, registries=[])
    with pytest.raises(SettingsError, match=r"http\.port"):
        await second.start()


def test_it_listens_on_the_loopback_unless_told_otherwise() -> None:
    assert HttpSettings().host == "127.0.0.1"
