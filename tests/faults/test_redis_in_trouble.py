"""Redis away at the start, slow, full, or refusing the password: verdicts go on, marked, and it is
used again when it is well. Whole workers and a real server; killed in the middle:
`test_redis_goes_away`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from tests.conftest import Broker, MakeTopics
from tests.faults.test_redis_goes_away import is_away, server, until
from tests.kafka_worker import event, look, produce, serving, settled, worker_settings

from afterguard.app import App
from afterguard.contracts.words import Degraded
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.kills, pytest.mark.slow]

IN_TROUBLE = 10
NEVER_SEEN = (Degraded.POLICIES_UNCONFIRMED, Degraded.CACHE_AWAY)
WRONG, RIGHT = "not-the-password", "the-password"


class Story:
    """One worker that meets a fault of Redis and its end.

    Args:
        kafka: The broker.
        topics: Their names.
        redis: The section `redis` of its settings.
    """

    def __init__(self, kafka: Broker, topics: TopicSettings, redis: dict[str, Any]) -> None:
        self._kafka, self._topics, self._sent = kafka, topics, 0
        quick = {"timeout_s": 0.2, "retry_after_s": 0.2}
        self.settings = worker_settings(kafka, topics, redis=quick | redis)

    async def send(self, app: App, count: int, content: str | None = None) -> list[Any]:
        """So many events, each of them settled; of different contents when None is given."""
        numbers = range(self._sent, self._sent + count)
        self._sent += count
        texts = [content or f"text {number}" for number in numbers]
        values = [event(n, content=text) for n, text in zip(numbers, texts, strict=True)]
        sent = await produce(self._kafka, self._topics.events, values)
        await settled(app, self._sent)
        return sent

    async def until_well(self, app: App) -> None:
        """Send events until Redis is used again."""
        async with asyncio.timeout(30):
            while away(app) or not app.policies.confirmed:
                await self.send(app, 1)

    async def degraded(self) -> list[tuple[Degraded, ...]]:
        """What was missing at each verdict; there is exactly one for each event, and a good one."""
        found = await look(self._kafka, self._topics)
        assert found.lost == []
        assert {it.outcome for it in found.audit} == {"no_violation"}
        assert len(found.audit) == self._sent
        return [found.verdicts_on(it.coordinates)[0].degraded for it in found.events]


def away(app: App) -> bool:
    assert app.redis is not None
    return is_away(app.redis)


async def told_by_metrics(app: App, *, away: bool) -> None:
    await until(lambda: app.metrics.redis_away._value.get() == away)


async def test_away_at_the_start(kafka: Broker, make_topics: MakeTopics) -> None:
    valkey = server()
    story = Story(kafka, await make_topics(), {"url": valkey.url})
    try:
        async with serving(story.settings) as app:
            await story.send(app, IN_TROUBLE)
            await told_by_metrics(app, away=True)
            await valkey.start()
            await story.until_well(app)
            await story.send(app, 1)
            await told_by_metrics(app, away=False)
    finally:
        await valkey.discard()
    marked = await story.degraded()
    assert marked[:IN_TROUBLE] == [NEVER_SEEN] * IN_TROUBLE
    assert marked[-1] == ()


async def _frozen(valkey: EmbeddedValkey) -> None:
    valkey.freeze()


async def _thawed(valkey: EmbeddedValkey) -> None:
    valkey.thaw()


async def _locked(valkey: EmbeddedValkey) -> None:
    async with Redis.from_url(valkey.url) as client:
        await client.config_set("requirepass", RIGHT)
        _ = await client.client_kill_filter(_type="normal", skipme=True)


async def _unlocked(valkey: EmbeddedValkey) -> None:
    async with Redis.from_url(valkey.url, password=RIGHT) as client:
        await client.config_set("requirepass", "")


Change = Callable[[EmbeddedValkey], Awaitable[None]]


@pytest.mark.parametrize(
    ("begins", "ends"), [(_frozen, _thawed), (_locked, _unlocked)], ids=["slow", "locked"]
)
async def test_in_the_middle(
    kafka: Broker, make_topics: MakeTopics, begins: Change, ends: Change
) -> None:
    async with server() as valkey:
        story = Story(kafka, await make_topics(), {"url": valkey.url})
        async with serving(story.settings) as app:
            await story.send(app, 2)
            assert not away(app)
            await begins(valkey)
            try:
                await story.send(app, IN_TROUBLE)
                await told_by_metrics(app, away=True)
            finally:
                await ends(valkey)
            await story.until_well(app)
            await story.send(app, 1)
            await told_by_metrics(app, away=False)
    marked = await story.degraded()
    assert marked[:2] == [(), ()]
    assert marked[2 : 2 + IN_TROUBLE] == [(Degraded.CACHE_AWAY,)] * IN_TROUBLE
    assert marked[-1] == ()


async def test_a_wrong_password_that_is_set_right_in_its_file_needs_no_restart(
    kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(WRONG)
    async with EmbeddedValkey(("--requirepass", RIGHT)) as valkey:
        redis = {"url": valkey.url, "password_file": file}
        story = Story(kafka, await make_topics(), redis)
        async with serving(story.settings) as app:
            await story.send(app, IN_TROUBLE)
            await told_by_metrics(app, away=True)
            file.write_text(RIGHT)
            await story.until_well(app)
            await story.send(app, 1)
            await told_by_metrics(app, away=False)
    marked = await story.degraded()
    assert marked[:IN_TROUBLE] == [NEVER_SEEN] * IN_TROUBLE
    assert marked[-1] == ()


async def test_full_is_no_fault_of_reading_and_what_is_not_kept_is_counted(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    async with EmbeddedValkey(("--maxmemory", "1", "--maxmemory-policy", "noeviction")) as valkey:
        story = Story(kafka, await make_topics(), {"url": valkey.url})
        async with serving(story.settings) as app:
            await story.send(app, IN_TROUBLE, "the same text")
            await until(lambda: app.metrics.redis_dropped._value.get() >= IN_TROUBLE)
            assert app.metrics.redis_away._value.get() == 0
            async with Redis.from_url(valkey.url) as client:
                assert await client.dbsize() == 0
                await client.config_set("maxmemory", "0")
                await story.send(app, 1, "another text")
                async with asyncio.timeout(20):
                    while not await client.dbsize():
                        await asyncio.sleep(0.02)
    assert set(await story.degraded()) == {()}
