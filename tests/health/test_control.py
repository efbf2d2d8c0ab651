"""Controls are answered on the worker's own machine, and to nobody who comes from elsewhere."""

import socket
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from afterguard.contracts.errors import BadQuestion
from afterguard.health.control import Control
from afterguard.health.server import HealthServer
from afterguard.health.settings import HttpSettings

JSON = {"Content-Type": "application/json"}


def _why(parameters: Mapping[str, str]) -> object:
    if parameters.get("partition") == "x":
        raise BadQuestion("partition: a number")
    return {"asked": dict(parameters)}


def _resume(parameters: Mapping[str, str]) -> object:
    return {"accepted": parameters["accept"]}


@pytest.fixture
async def server() -> AsyncIterator[HealthServer]:
    made = HealthServer(
        HttpSettings(port=0, host="0.0.0.0"),
        live={},
        ready={},
        registries=[],
        controls=[Control("GET", "/why", _why), Control("POST", "/resume", _resume)],
    )
    await made.start()
    yield made
    await made.stop()


async def _ask(
    server: HealthServer,
    method: str,
    path: str,
    *,
    host: str = "127.0.0.1",
    headers: Mapping[str, str] | None = None,
    data: bytes | None = None,
) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as http,
        http.request(
            method,
            f"http://{host}:{server.port}{path}",
            headers=headers,
            data=data,
        ) as answer,
    ):
        return answer.status, await answer.text()


def _own_address() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Sends nothing; the system only chooses the address that it would send from.
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address: str = probe.getsockname()[0]
        return address


async def test_a_loopback_peer_is_answered(server: HealthServer) -> None:
    assert await _ask(server, "GET", "/why?partition=3") == (200, '{"asked":{"partition":"3"}}')
    answer = await _ask(server, "POST", "/resume", headers=JSON, data=b'{"accept": "not_json"}')
    assert answer == (200, '{"accepted":"not_json"}')


async def test_a_peer_from_elsewhere_is_told_how(server: HealthServer) -> None:
    own = _own_address()
    if own is None:
        pytest.skip("this machine has no address but the loopback")
    status, body = await _ask(server, "GET", "/why", host=own)
    assert status == 403
    assert "kubectl exec" in body
    assert f"127.0.0.1:{server.port}" in body


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Host": "attacker.example"},
        {"Host": "203.0.113.7:9108"},
    ],
    ids=str,
)
async def test_a_proxy_or_a_foreign_page_on_this_machine_is_refused(
    server: HealthServer, headers: Mapping[str, str]
) -> None:
    assert (await _ask(server, "GET", "/why", headers=headers))[0] == 403
    answer = await _ask(server, "POST", "/resume", headers={**JSON, **headers}, data=b"{}")
    assert answer[0] == 403


@pytest.mark.parametrize(
    ("headers", "data", "told"),
    [
        ({"Content-Type": "text/plain"}, b'{"accept": "x"}', "application/json"),
        (JSON, b"{", "no JSON"),
        (JSON, b"[]", "JSON object"),
        (JSON, b'{"accept": 1}', "JSON object of texts"),
    ],
)
async def test_a_wish_that_is_no_json_object_is_refused_with_words(
    server: HealthServer, headers: Mapping[str, str], data: bytes, told: str
) -> None:
    status, body = await _ask(server, "POST", "/resume", headers=headers, data=data)
    assert status == 400
    assert told in body


async def test_a_question_without_sense_is_told(server: HealthServer) -> None:
    status, body = await _ask(server, "GET", "/why?partition=x")
    assert (status, body) == (400, '{"error": "partition: a number"}')


async def test_as_it_is_set_by_default_nobody_elsewhere_reaches_it() -> None:
    own = _own_address()
    if own is None:
        pytest.skip("this machine has no address but the loopback")
    made = HealthServer(HttpSettings(port=0), live={}, ready={}, registries=[])
    await made.start()
    try:
        assert (await _ask(made, "GET", "/livez"))[0] == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await _ask(made, "GET", "/livez", host=own)
    finally:
        await made.stop()
