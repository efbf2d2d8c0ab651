"""Deaths behind requests, kept in Redis: they outlive a worker, and Redis is never in the way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import uuid4

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from tests.samples import policy

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.words import Effort
from afterguard.flow.ports import JudgeRequest
from afterguard.state.attempts import RedisAttempts
from afterguard.state.batches import Batches
from afterguard.state.settings import RedisSettings
from afterguard.telemetry.metrics import Metrics

pytestmark = pytest.mark.redis

POLICY = policy()
OTHER = policy(id="other-policy")
Life = Callable[[], AbstractAsyncContextManager[RedisAttempts]]


def asked(offset: int = 0, under: object = POLICY, **changes: object) -> JudgeRequest:
    origin = Coordinates("chat.events", 0, offset)
    request = JudgeRequest(f"{origin}/x", POLICY, "text", Effort.LOW, origin=origin)
    return request._replace(policy=under, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def life_of(
    url: str, prefix: str, group: str = "g", ttl_s: int = 60
) -> AsyncIterator[RedisAttempts]:
    """One life of a worker's memory."""
    settings = RedisSettings(url=SecretStr(url), key_prefix=prefix, timeout_s=5)
    batches = Batches(settings, Metrics())
    await batches.start()
    attempts = RedisAttempts(batches, group, ttl_s)
    await attempts.start()
    try:
        yield attempts
    finally:
        await attempts.stop()
        await batches.stop()


@pytest.fixture
def life(redis_url: str) -> Life:
    """Lives that share a prefix of their own."""
    prefix = f"t-{uuid4().hex[:8]}"
    return lambda: life_of(redis_url, prefix)


async def test_what_is_charged_is_known_to_the_next_life_and_what_is_forgotten_is_not(
    life: Life,
) -> None:
    async with life() as first:
        await asyncio.gather(*(first.charge(asked(it), it + 1) for it in range(5_000)))
        for it in range(0, 5_000, 2):
            first.remember(asked(it), 0)
    async with life() as second:
        found = await asyncio.gather(*(second.deaths(asked(it)) for it in range(5_000)))
    assert found == [0 if it % 2 == 0 else it + 1 for it in range(5_000)]


async def test_a_prompt_of_several_policies_is_counted_apart_from_each_of_them(life: Life) -> None:
    both = asked(also=(OTHER,))
    async with life() as first:
        await first.charge(both, 2)
        await first.charge(asked(), 1)
    async with life() as second:
        again = both._replace(request_id="of another life")
        assert [await second.deaths(it) for it in (again, asked(), asked(under=OTHER))] == [2, 1, 0]


async def test_a_charge_is_kept_before_it_returns(life: Life) -> None:
    async with life() as first, life() as second:
        await first.charge(asked(), 1)
        assert await second.deaths(asked()) == 1


async def test_the_last_word_on_a_request_counts(life: Life) -> None:
    async with life() as first:
        first.remember(asked(), 2)
        await first.charge(asked(), 3)
        first.remember(asked(), 0)
        first.remember(asked(), 1)
    async with life() as second:
        assert await second.deaths(asked()) == 1


async def test_each_policy_group_and_record_has_a_count_of_its_own(
    life: Life, redis_url: str
) -> None:
    async with life() as attempts:
        await attempts.charge(asked(7), 2)
        assert await attempts.deaths(asked(7, OTHER)) == 0
        assert await attempts.deaths(asked(8)) == 0
        assert await attempts.deaths(asked(7)) == 2
    async with life_of(redis_url, f"t-{uuid4().hex[:8]}") as stranger:
        assert await stranger.deaths(asked(7)) == 0


async def test_a_first_look_that_goes_well_does_not_forget_the_deaths_of_the_second(
    life: Life,
) -> None:
    async with life() as first:
        await first.charge(asked(second=True), 2)
        await first.charge(asked(), 1)
        first.remember(asked(), 0)
    async with life() as second:
        assert await second.deaths(asked(second=True)) == 2
        assert await second.deaths(asked()) == 0


async def test_a_request_without_a_record_has_no_count(life: Life) -> None:
    async with life() as attempts:
        await attempts.charge(asked(origin=None), 2)
        attempts.remember(asked(origin=None), 2)
        assert await attempts.deaths(asked(origin=None)) == 0


async def test_counts_do_not_stay_for_ever(redis_url: str) -> None:
    prefix = f"t-{uuid4().hex[:8]}"
    async with life_of(redis_url, prefix, ttl_s=77) as attempts:
        await attempts.charge(asked(), 1)
    async with Redis.from_url(redis_url) as client:
        keys = [key async for key in client.scan_iter(f"{prefix}:*")]
        assert [0 < await client.ttl(key) <= 77 for key in keys] == [True]


async def test_without_redis_there_are_no_deaths_and_nobody_waits() -> None:
    async with life_of("redis://127.0.0.1:1", "t") as attempts, asyncio.timeout(10):
        await attempts.charge(asked(), 3)
        attempts.remember(asked(), 3)
        assert await attempts.deaths(asked(1)) == 0
    async with life_of("redis://127.0.0.1:1", "t") as attempts:
        assert await attempts.deaths(asked()) == 0


async def test_what_another_owner_left_is_seen_within_a_second(life: Life) -> None:
    now = 100.0
    async with life() as first, life() as second:
        second._clock = lambda: now
        assert await second.deaths(asked()) == 0
        await first.charge(asked(), 2)
        now = 101.1
        assert await second.deaths(asked()) == 2


async def test_a_value_that_is_no_count_is_none(redis_url: str) -> None:
    prefix = f"t-{uuid4().hex[:8]}"
    async with life_of(redis_url, prefix) as attempts:
        await attempts.charge(asked(), 1)
    async with Redis.from_url(redis_url) as client:
        (key,) = [key async for key in client.scan_iter(f"{prefix}:*")]
        await client.hset(key, f"0/{POLICY.id}", "no number")
        async with life_of(redis_url, prefix) as attempts:
            assert await attempts.deaths(asked()) == 0
        await client.set(key, "no hash")
        async with life_of(redis_url, prefix) as attempts:
            assert await attempts.deaths(asked()) == 0
            await attempts.charge(asked(), 1)
