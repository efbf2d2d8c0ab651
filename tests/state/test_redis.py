"""Redis keeps judgements and seen events, and is never in the way."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from afterguard.contracts.coordinates import Coordinates
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.state.batches import Batches
from afterguard.state.seen_events import RedisSeenEvents
from afterguard.state.settings import RedisSettings
from afterguard.state.verdict_cache import RedisVerdictCache
from afterguard.telemetry.metrics import Metrics

pytestmark = pytest.mark.redis


def _settings(url: str, **changes: object) -> RedisSettings:
    values = {"url": SecretStr(url), "key_prefix": uuid4().hex, "retry_after_s": 0.1}
    return RedisSettings.model_validate(values | changes)


async def _written(batches: Batches) -> None:
    """Writes happen in the background; give them their turn."""
    for _ in range(100):
        await asyncio.sleep(0.01)
        if not batches._writes:
            await asyncio.sleep(0.02)
            return
    pytest.fail("the writes did not go out")


@pytest.fixture
async def batches(redis_url: str) -> AsyncIterator[Batches]:
    made = Batches(_settings(redis_url), Metrics())
    await made.start()
    yield made
    await made.stop()


async def test_what_was_put_is_found_and_what_was_not_is_a_miss(batches: Batches) -> None:
    cache = RedisVerdictCache(batches, ttl_s=60)
    cache.put("a", b"kept")
    await _written(batches)
    assert await cache.get_many(["a", "b"]) == [b"kept", None]
    assert not cache.away


async def test_lookups_of_many_tasks_in_one_turn_are_one_call(
    batches: Batches, redis_url: str
) -> None:
    async with Redis.from_url(redis_url) as client:
        before = (await client.info("commandstats")).get("cmdstat_mget", {"calls": 0})["calls"]
        await asyncio.gather(*(batches.get_many([f"k{n}", f"l{n}"]) for n in range(100)))
        after = (await client.info("commandstats"))["cmdstat_mget"]["calls"]
    assert after - before == 1


async def test_a_kept_value_ends_with_its_time(batches: Batches, redis_url: str) -> None:
    RedisVerdictCache(batches, ttl_s=77).put("a", b"kept")
    await _written(batches)
    async with Redis.from_url(redis_url) as client:
        assert 0 < await client.ttl(f"{batches._prefix}a") <= 77


async def test_the_first_place_of_an_event_stays(batches: Batches) -> None:
    seen = RedisSeenEvents(batches, ttl_s=60)
    first, second = Coordinates("t/with/slash", 1, 5), Coordinates("t", 1, 9)
    seen.mark("e", first)
    await _written(batches)
    seen.mark("e", second)
    await _written(batches)
    assert await seen.first_seen(["e", "other"]) == [first, None]


async def test_a_damaged_place_is_no_place(batches: Batches) -> None:
    batches.put("e", b"\xff nonsense", 60)
    await _written(batches)
    assert await RedisSeenEvents(batches, ttl_s=60).first_seen(["e"]) == [None]


async def test_what_waits_is_written_at_the_end(redis_url: str) -> None:
    batches = Batches(_settings(redis_url), Metrics())
    await batches.start()
    batches.put("late", b"x", 60)
    await batches.stop()
    async with Redis.from_url(redis_url) as client:
        assert await client.get(f"{batches._prefix}late") == b"x"


async def test_stopping_in_the_middle_of_a_write_ends(redis_url: str) -> None:
    # redis-py swallows a cancellation that comes in the middle of a call, now and then.
    for number in range(30):
        batches = Batches(_settings(redis_url), Metrics())
        await batches.start()
        for key in range(50):
            batches.put(f"k{key}", b"x" * 20_000, 60)
        await asyncio.sleep(number / 2_000)
        async with asyncio.timeout(10):
            await batches.stop()


async def test_a_server_that_goes_away_is_a_miss_and_is_found_again_when_it_returns() -> None:
    server = EmbeddedValkey()
    async with server:
        batches = Batches(_settings(server.url), Metrics())
        await batches.start()
        batches.put("a", b"1", 60)
        await _written(batches)

        await server.kill()
        assert await batches.get_many(["a"]) == [None]
        assert batches.away
        batches.put("b", b"2", 60)

        await server.start()
        await asyncio.sleep(0.2)
        assert await batches.get_many(["a"]) == [None]
        assert not batches._circuit.away
        await batches.stop()


async def test_a_frozen_server_costs_one_timeout_and_then_nothing() -> None:
    async with EmbeddedValkey() as server:
        metrics = Metrics()
        batches = Batches(_settings(server.url, timeout_s=0.1, retry_after_s=60), metrics)
        await batches.start()
        server.freeze()
        try:
            assert await batches.get_many(["a"]) == [None]
            assert batches.away
            loop = asyncio.get_running_loop()
            before = loop.time()
            assert await batches.get_many(["a"]) == [None]
            # No timer ran: the open circuit answered without asking.
            assert loop.time() - before < 0.1
        finally:
            server.thaw()
        assert metrics.registry.get_sample_value("afterguard_redis_away") == 1
        await batches.stop()


async def test_a_wrong_password_is_a_miss_and_is_not_told() -> None:
    async with EmbeddedValkey(("--requirepass", "correct")) as server:
        url = f"redis://:guessed-secret@127.0.0.1:{server.port}/0"
        batches = Batches(_settings(url), Metrics())
        await batches.start()
        assert await batches.get_many(["a"]) == [None]
        assert batches.away
        assert "guessed-secret" not in repr(batches._settings)
        await batches.stop()


async def test_a_full_server_drops_writes_and_counts_them() -> None:
    async with EmbeddedValkey(("--maxmemory", "1mb", "--maxmemory-policy", "noeviction")) as server:
        metrics = Metrics()
        batches = Batches(_settings(server.url), metrics)
        await batches.start()
        for number in range(100):
            batches.put(f"k{number}", b"x" * 50_000, 60)
        await _written(batches)
        await batches.stop()
        assert (metrics.registry.get_sample_value("afterguard_redis_dropped_total") or 0) > 0
