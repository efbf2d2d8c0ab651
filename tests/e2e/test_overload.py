"""Ten times what the engine can do: intake pauses, the budget holds, every event is on record."""

import asyncio
from collections import Counter
from random import Random
from time import monotonic

import orjson
import pytest
from aiokafka import AIOKafkaProducer
from tests.conftest import Broker
from tests.kafka_worker import look, serving, settled, worker_settings
from tests.samples import event_fields

from afterguard.app import App
from afterguard.contracts.words import Lane, Outcome, Reason
from afterguard.engine.null_engine import NullJudge
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.slow]

SUSTAINABLE_PER_S = 50
EVENTS_IN_FLIGHT, TOKENS_IN_FLIGHT = 200, 6_000
LOAD_S = 3


async def flood(broker: Broker, topic: str, per_s: int, seconds: int) -> int:
    """Write so many events of random lanes and lengths; how many it were."""
    random, began, sent = Random(8), monotonic(), 0
    async with AIOKafkaProducer(bootstrap_servers=broker.bootstrap_servers) as producer:
        while sent < per_s * seconds:
            while sent < min(per_s * seconds, per_s * (monotonic() - began)):
                fields = event_fields(
                    event_id=f"e-{sent}",
                    conversation_id=f"c-{sent % 40}",
                    lane=random.choice([*Lane]),
                    content="word " * random.randint(1, 60),
                )
                await producer.send(topic, orjson.dumps(fields))
                sent += 1
            await asyncio.sleep(0.01)
    return sent


class Watched:
    """The most that was ever in flight, and how often intake was seen paused for it."""

    def __init__(self, app: App, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events = self.tokens = self.paused = 0
        take = app.budget.take

        def taken(tokens: int) -> None:
            take(tokens)
            stands = app.budget.statistics()
            self.events = max(self.events, stands.events)
            # What the last event brings beyond the limit is its own size.
            self.tokens = max(self.tokens, stands.tokens)

        monkeypatch.setattr(app.budget, "take", taken)
        self._app = app

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            self.paused += self._app.intake.paused
            await asyncio.sleep(0.01)


async def test_at_ten_times_the_sustainable_load_the_budget_holds_and_nothing_is_lost(
    kafka: Broker, topics: TopicSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = worker_settings(
        kafka,
        topics,
        intake={
            "max_events_in_flight": EVENTS_IN_FLIGHT,
            "max_tokens_in_flight": TOKENS_IN_FLIGHT,
            "min_tokens_in_flight": 2_000,
            "max_concurrent_events": 10,
        },
        judging={
            "deadline_s": {"live": 0.5, "standard": 1},
            "shed_after_s": {"backfill": 0.5},
            "shed_above": 30,
        },
    )
    async with serving(settings, NullJudge(10 / SUSTAINABLE_PER_S)) as app:
        watched = Watched(app, monkeypatch)
        watching = asyncio.create_task(watched.watch())
        count = await flood(kafka, topics.events, 10 * SUSTAINABLE_PER_S, LOAD_S)
        await settled(app, count)
        watching.cancel()
        assert app.budget.statistics()[0:3:2] == (0, 0)
    found = await look(kafka, topics)

    assert watched.events <= EVENTS_IN_FLIGHT
    assert watched.tokens <= TOKENS_IN_FLIGHT * 1.2
    assert watched.paused > 10, "backpressure did not reach the consumer"
    assert found.lost == []
    assert len(found.audit) == count, "more than one verdict on an event"
    told = Counter((it.outcome, it.reason) for it in found.audit)
    assert set(told) == {
        (Outcome.NO_VIOLATION, None),
        (Outcome.EXPIRED, Reason.DEADLINE_PASSED),
        (Outcome.EXPIRED, Reason.SHED_OVERLOAD),
    }
    shed = {it.event_id for it in found.audit if it.reason is Reason.SHED_OVERLOAD}
    backfill = {
        fields["event_id"]
        for it in found.events
        if (fields := orjson.loads(it.value or b""))["lane"] == Lane.BACKFILL
    }
    assert shed <= backfill, "a lane was shed that nobody asked to shed"
