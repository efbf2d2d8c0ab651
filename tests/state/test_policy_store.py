"""The policy store in Redis, where it differs from the folder: announcements, rights, faults.

What both stores promise: `tests.policy.test_store_contract`.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from tests.policy.releases import change, version
from tests.samples import NOON

from afterguard.contracts.errors import StateUnavailable
from afterguard.contracts.releases import Release, StoreState, changed
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.state.policy_store import RedisPolicyStore
from afterguard.state.settings import RedisSettings

pytestmark = pytest.mark.redis

WAIT_S = 20.0
# Nobody waits so long in a test: what arrives was announced.
NEVER_S = 3_600.0
OPERATING = Path(__file__).parents[2] / "docs" / "worker.md"
USERS = re.compile(r"^user ([\w-]+) (on >PASSWORD .*)$", re.MULTILINE)
SECRET = "s3cret"


def store_at(url: str, poll_s: float = 0.02, **changes: Any) -> RedisPolicyStore:
    values = {"url": SecretStr(url), "timeout_s": 5} | changes
    return RedisPolicyStore(RedisSettings.model_validate(values), poll_s=poll_s)


@pytest.fixture
def prefix() -> str:
    return uuid4().hex


@pytest.fixture
async def store(redis_url: str, prefix: str) -> AsyncIterator[RedisPolicyStore]:
    made = store_at(redis_url, key_prefix=prefix)
    yield made
    await made.close()


@pytest.fixture
async def client(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as made:
        yield made


@pytest.fixture
async def guarded() -> AsyncIterator[EmbeddedValkey]:
    """A server with the users of docs/worker.md, that lets nobody else in."""
    rights: list[str] = []
    for name, what in USERS.findall(OPERATING.read_text(encoding="utf-8")):
        rights += ["--user", name, *what.replace("PASSWORD", SECRET).split()]
    async with EmbeddedValkey((*rights, "--user", "default", "off")) as server:
        yield server


async def _listening(states: AsyncIterator[StoreState]) -> None:
    # It looks at once, and again when it is sure to be told of what follows.
    assert [(await anext(states)).revision for _ in range(2)] == [0, 0]


async def test_a_change_is_announced_and_not_only_found_by_looking(
    redis_url: str, prefix: str, store: RedisPolicyStore
) -> None:
    watcher = store_at(redis_url, NEVER_S, key_prefix=prefix)
    async with asyncio.timeout(WAIT_S), aclosing(watcher.watch()) as states:
        await _listening(states)
        await store.change(change(1), expected=0)
        assert (await anext(states)).active("queue") == version(1)
    await watcher.close()


async def test_a_change_whose_announcement_is_lost_is_found_by_looking(
    store: RedisPolicyStore, client: Redis, prefix: str
) -> None:
    state = changed(StoreState(), change(1), expected=0, at=NOON)
    async with asyncio.timeout(WAIT_S), aclosing(store.watch()) as states:
        await anext(states)
        # Written past the store, so that nobody announces it.
        await client.set(f"{prefix}:policies:state", state.model_dump_json())
        while (await anext(states)).revision == 0:
            pass


async def test_nothing_in_it_expires(store: RedisPolicyStore, client: Redis, prefix: str) -> None:
    await store.change(change(1), expected=0)
    keys = [key async for key in client.scan_iter(f"{prefix}:*")]
    assert len(keys) == 3
    assert [await client.ttl(key) for key in keys] == [-1] * 3


async def test_a_release_that_is_no_json_is_a_text_that_no_worker_takes(
    store: RedisPolicyStore, client: Redis, prefix: str
) -> None:
    await client.hset(f"{prefix}:policies:releases:queue", version(1), b"\xff{")
    assert await store.document("queue", version(1)) == Release("")


async def test_a_state_that_makes_no_sense_is_as_good_as_no_answer(
    store: RedisPolicyStore, client: Redis, prefix: str
) -> None:
    await client.set(f"{prefix}:policies:state", b'{"revision": "many"}')
    with pytest.raises(StateUnavailable, match="makes no sense"):
        await store.state()


async def test_a_server_that_is_away_is_told_without_credentials() -> None:
    store = store_at("redis://ann:hidden@127.0.0.1:1/0", timeout_s=0.5)
    with pytest.raises(StateUnavailable) as told:
        await store.state()
    with pytest.raises(StateUnavailable):
        await anext(store.watch())
    assert "redis://127.0.0.1:1/0" in str(told.value)
    assert "hidden" not in str(told.value)
    await store.close()


async def test_a_watch_begins_anew_after_its_server_was_away() -> None:
    async with EmbeddedValkey() as server:
        store = store_at(server.url)
        await store.change(change(1), expected=0)
        async with aclosing(store.watch()) as states:
            assert (await anext(states)).revision == 1
            async with Redis.from_url(server.url) as client:
                _ = await client.client_kill_filter(_type="pubsub")
                _ = await client.client_kill_filter(_type="normal", skipme=True)
            with pytest.raises(StateUnavailable):
                async for _ in states:
                    pass
        async with asyncio.timeout(WAIT_S):
            while not await _seen(store, 1):
                pass
        await store.close()


async def _seen(store: RedisPolicyStore, revision: int) -> bool:
    """Whether a new watch sees it; each connection that was cut costs one attempt."""
    try:
        async with aclosing(store.watch()) as states:
            return (await anext(states)).revision == revision
    except StateUnavailable:
        return False


async def test_the_users_of_the_docs_may_do_what_they_are_for_and_no_more(
    guarded: EmbeddedValkey,
) -> None:
    operator = store_at(guarded.url, username="afterguard-policies", password=SECRET)
    worker = store_at(guarded.url, NEVER_S, username="afterguard", password=SECRET)
    async with asyncio.timeout(WAIT_S), aclosing(worker.watch()) as states:
        await _listening(states)
        await operator.change(change(1), expected=0)
        assert (await anext(states)).active("queue") == version(1)
    release = await worker.document("queue", version(1))
    assert release is not None
    assert await operator.versions("queue") == [version(1)]
    assert len(await operator.history("queue")) == 1
    with pytest.raises(StateUnavailable, match="the user may not do what is needed"):
        await worker.change(change(2), expected=1)
    await operator.close()
    await worker.close()
    async with Redis.from_url(guarded.url, username="afterguard", password=SECRET) as client:
        with pytest.raises(NoPermissionError):
            await client.set("afterguard:policies:state", b"{}")


async def test_a_user_who_may_not_listen_learns_of_changes_by_looking() -> None:
    deaf = f"--user deaf on >{SECRET} ~afterguard:* resetchannels +@connection +get"
    async with EmbeddedValkey(deaf.split()) as server:
        writer = store_at(server.url)
        watcher = store_at(server.url, username="deaf", password=SECRET)
        async with asyncio.timeout(WAIT_S), aclosing(watcher.watch()) as states:
            await anext(states)
            await writer.change(change(1), expected=0)
            while (await anext(states)).active("queue") != version(1):
                pass
        await writer.close()
        await watcher.close()


async def test_a_full_server_refuses_the_change_whole() -> None:
    async with EmbeddedValkey(("--maxmemory", "1", "--maxmemory-policy", "noeviction")) as server:
        store = store_at(server.url)
        with pytest.raises(StateUnavailable, match="full"):
            await store.change(change(1), expected=0)
        async with Redis.from_url(server.url) as client:
            assert await client.dbsize() == 0
        await store.close()
