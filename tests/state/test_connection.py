"""The way to Redis: TLS, an ACL user, a password from a file, and how a fault is told."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.certificates import Authority
from tests.tls_front import TlsFront

from afterguard.contracts.errors import SettingsError
from afterguard.embedded.process import free_port
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.state.batches import Batches
from afterguard.state.connection import connector, look
from afterguard.state.settings import RedisSettings
from afterguard.telemetry.metrics import Metrics

pytestmark = pytest.mark.redis

SECRET = "s3cret/of:the@worker"
OPERATING = Path(__file__).parents[2] / "docs" / "worker.md"
USER = re.compile(r"^user (afterguard on >PASSWORD .*)$", re.MULTILINE)


@pytest.fixture
async def guarded() -> AsyncIterator[EmbeddedValkey]:
    """A server with the user of docs/worker.md, that lets nobody else in."""
    user = USER.search(OPERATING.read_text(encoding="utf-8"))
    assert user is not None
    rights = user[1].replace("PASSWORD", SECRET).split()
    async with EmbeddedValkey(("--user", *rights, "--user", "default", "off")) as server:
        yield server


@pytest.fixture
async def behind() -> AsyncIterator[int]:
    """The port of a server without TLS, for one with TLS in front of it."""
    async with EmbeddedValkey() as server:
        yield server.port


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def settings(port: int, scheme: str = "redis", **changes: Any) -> RedisSettings:
    url = f"{scheme}://localhost:{port}/0"
    return RedisSettings.model_validate(
        {"url": url, "retry_after_s": 0.05, "timeout_s": 2} | changes
    )


def is_away(batches: Batches) -> bool:
    """Asked anew each time, which the type checker would not believe of a property."""
    return batches.away


async def test_the_user_of_the_docs_may_do_what_the_worker_needs(
    guarded: EmbeddedValkey, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    way: dict[str, Any] = {"username": "afterguard", "password_file": file}
    assert await look(settings(guarded.port, **way)) is None
    batches = Batches(settings(guarded.port, **way), Metrics())
    await batches.start()
    batches.put("v:kept", b"1", 60)
    async with asyncio.timeout(10):
        while await batches.get_many(["v:kept"]) != [b"1"]:
            await asyncio.sleep(0.01)
    assert not batches.away
    await batches.stop()


async def test_user_and_password_may_stand_in_the_address(guarded: EmbeddedValkey) -> None:
    there = f"afterguard:s3cret%2Fof%3Athe%40worker@localhost:{guarded.port}/0"
    assert await look(settings(guarded.port, url=f"redis://{there}")) is None


async def test_a_refused_log_in_is_told_and_shows_no_secret(guarded: EmbeddedValkey) -> None:
    for way in ({"username": "afterguard", "password": "guessed"}, {}):
        fault = await look(settings(guarded.port, **way))
        assert fault is not None
        assert fault.startswith("log-in refused; check redis.username and redis.password")
        assert "guessed" not in fault


async def test_a_user_who_may_not_write_is_told_apart_from_one_who_is_refused() -> None:
    reader = f"--user reader on >{SECRET} ~* +@connection +mget"
    async with EmbeddedValkey(reader.split()) as server:
        fault = await look(settings(server.port, username="reader", password=SECRET))
    assert fault == "the user may not do what is needed; see the ACL in docs/worker.md"


async def test_a_password_that_is_renewed_on_disk_is_used_by_the_next_connection(
    guarded: EmbeddedValkey, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("not yet")
    way = settings(guarded.port, username="afterguard", password_file=file)
    batches = Batches(way, Metrics())
    await batches.start()
    assert await batches.get_many(["v:k"]) == [None]
    assert is_away(batches)
    file.write_text(SECRET)
    async with asyncio.timeout(10):
        while is_away(batches):
            await asyncio.sleep(0.06)
            await batches.get_many(["v:k"])
    await batches.stop()


async def test_tls_with_certificates_of_both_sides_and_the_renewed_one_of_ours(
    behind: int, authority: Authority
) -> None:
    ours = authority.client(password=SECRET)
    async with TlsFront(behind, authority.server(asks=True)) as front:
        way = settings(
            front.port,
            "rediss",
            ssl_ca_file=authority.ca_file,
            ssl_cert_file=ours.cert,
            ssl_key_file=ours.key,
            ssl_key_password=SECRET,
            key_prefix=uuid4().hex,
        )
        batches = Batches(way, Metrics())
        await batches.start()
        assert await batches.get_many(["v:k"]) == [None]
        assert not is_away(batches)
        authority.client(password=SECRET)  # the same files, another certificate
        assert front.cut() == 1
        async with asyncio.timeout(10):
            while len(set(front.shown)) < 2:
                await batches.get_many(["v:k"])
                await asyncio.sleep(0.06)
            while is_away(batches):
                await batches.get_many(["v:k"])
                await asyncio.sleep(0.06)
        await batches.stop()


async def test_a_certificate_that_cannot_be_trusted_is_told(
    behind: int, authority: Authority, tmp_path: Path
) -> None:
    foreign = Authority(tmp_path, "foreign").ca_file
    async with TlsFront(behind, authority.server("redis.example")) as front:
        for ca_file, told in (
            (foreign, "unable to get local issuer certificate"),
            (authority.ca_file, "Hostname mismatch"),
        ):
            fault = await look(settings(front.port, "rediss", ssl_ca_file=ca_file))
            assert fault is not None
            assert f"certificate not trusted: {told}" in fault
        unchecked = settings(
            front.port, "rediss", ssl_ca_file=authority.ca_file, ssl_check_hostname=False
        )
        assert await look(unchecked) is None


async def test_a_server_without_tls_is_told(behind: int, authority: Authority) -> None:
    way = settings(behind, "rediss", ssl_ca_file=authority.ca_file, timeout_s=0.3)
    assert await look(way) == "TimeoutError"


async def test_a_full_server_is_told() -> None:
    async with EmbeddedValkey(("--maxmemory", "1", "--maxmemory-policy", "noeviction")) as server:
        fault = await look(settings(server.port))
    assert fault == "full (maxmemory); what is new is not kept"


async def test_nobody_there_is_told() -> None:
    assert await look(settings(free_port())) == "ConnectionError"


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"url": "http://host"}, "redis.url: must look like redis://"),
        ({"url": "redis://host:port"}, "redis.url: must look like redis://"),
        (
            {"url": "rediss://host?ssl_cert_reqs=none"},
            "redis.url: ssl_cert_reqs is a setting of its own here",
        ),
        (
            {"url": "redis://:a@host", "password": SECRET},
            "redis.url (which holds one) and redis.password: give one password",
        ),
        (
            {"url": "redis://host", "password": SECRET, "password_file": "/x"},
            "redis.password and redis.password_file: give one password",
        ),
        ({"url": "redis://host", "username": "u"}, "redis.username: needs redis.password"),
        (
            {"url": "redis://host", "ssl_ca_file": "/x"},
            "redis.ssl_ca_file: has no meaning when redis.url is no rediss:// address",
        ),
        (
            {"url": "redis://host", "password_file": "/nowhere/at/all"},
            "redis.password_file: /nowhere/at/all cannot be read: No such file or directory",
        ),
        (
            {"url": "rediss://host", "ssl_ca_file": "/nowhere/at/all"},
            "redis.ssl_ca_file: /nowhere/at/all cannot be read: No such file or directory",
        ),
    ],
)
def test_settings_that_cannot_work_are_told_before_anything_starts(
    values: dict[str, Any], line: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        connector(RedisSettings.model_validate(values))
    assert [it for it in raised.value.problems if it.startswith(line)]
    assert SECRET not in str(raised.value)
