"""Redis is never in the way: verdicts go on while it is gone, marked, and it is used again."""

import asyncio
from collections.abc import Callable

import pytest
from tests.conftest import Broker, MakeTopics, missing
from tests.kafka_worker import event, look, produce, serving, settled, worker_settings

from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.words import Degraded
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.state.batches import Batches

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.kills, pytest.mark.slow]


def server() -> EmbeddedValkey:
    try:
        return EmbeddedValkey()
    except AfterguardError as error:
        missing(f"Valkey ({error})")
        raise


def is_away(redis: Batches) -> bool:
    return redis.away


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.02)


async def test_verdicts_go_on_while_it_is_killed_and_when_it_comes_back(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    topics = await make_topics()
    async with server() as valkey:
        settings = worker_settings(
            kafka, topics, redis={"url": valkey.url, "timeout_s": 0.3, "retry_after_s": 0.2}
        )
        async with serving(settings) as app:
            assert app.redis is not None
            redis = app.redis
            before = await produce(kafka, topics.events, [event(1, content="first")])
            await settled(app, 1)
            # A second time, so that what was judged has been kept by now.
            before += await produce(kafka, topics.events, [event(2, content="first")])
            await settled(app, 2)

            await valkey.kill()
            away = await produce(
                kafka, topics.events, [event(n, content=f"away {n}") for n in range(3, 23)]
            )
            await settled(app, 22)
            assert is_away(redis)
            assert app.metrics.redis_away._value.get() == 1

            await valkey.start()
            back = []
            for number in range(23, 200):
                back += await produce(kafka, topics.events, [event(number, content="back")])
                await settled(app, number)
                if not is_away(redis):
                    break
            assert not is_away(redis)
            back += await produce(kafka, topics.events, [event(200, content="back")])
            await settled(app, len(before) + len(away) + len(back))
            await until(lambda: app.metrics.redis_away._value.get() == 0)
    found = await look(kafka, topics)
    assert found.lost == []
    assert {it.outcome for it in found.audit} == {"no_violation"}
    marked = [bool(found.verdicts_on(it)[0].degraded) for it in (*before, *away)]
    assert marked == [False] * len(before) + [True] * len(away)
    assert {it for where in away for it in found.verdicts_on(where)[0].degraded} == {
        Degraded.CACHE_AWAY
    }
    assert found.verdicts_on(back[-1])[0].degraded == ()
