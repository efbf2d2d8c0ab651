"""`afterguard offsets`: where a group stands, and where it goes on, on a real broker."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import orjson
import pytest
from tests.cli.commands import Told, afterguard
from tests.conftest import Broker
from tests.kafka_worker import event, look, produce, serving, settled, worker_settings

from afterguard.settings import Settings
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker

Offsets = Callable[..., Told]


@pytest.fixture
def settings(kafka: Broker, topics: TopicSettings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    group = f"g-{uuid4().hex[:8]}"
    monkeypatch.setenv("AFTERGUARD_KAFKA__GROUP_ID", group)
    monkeypatch.setenv("AFTERGUARD_TOPICS__EVENTS", topics.events)
    return worker_settings(kafka, topics, kafka={"group_id": group})


@pytest.fixture
def offsets(kafka: Broker, settings: Settings) -> Offsets:
    def call(*arguments: str) -> Told:
        return afterguard("offsets", *arguments, "--bootstrap", kafka.bootstrap_servers)

    return call


def shown(offsets: Offsets) -> list[dict[str, int | None]]:
    return [orjson.loads(line) for line in offsets("show", "--json").out.splitlines()]


async def judged(settings: Settings, count: int) -> None:
    async with serving(settings) as app:
        await settled(app, count)


def write(kafka: Broker, settings: Settings, *numbers: int) -> None:
    values = [event(number) for number in numbers]
    asyncio.run(produce(kafka, settings.topics.events, values, partition=0))


def test_a_group_is_shown_with_what_it_has_not_settled(
    kafka: Broker, settings: Settings, offsets: Offsets
) -> None:
    write(kafka, settings, 1, 2, 3)
    assert shown(offsets) == [{"partition": 0, "committed": None, "end": 3, "lag": 3}]
    asyncio.run(judged(settings, 3))
    write(kafka, settings, 4)
    assert shown(offsets) == [{"partition": 0, "committed": 3, "end": 4, "lag": 1}]
    assert f"group {settings.kafka.group_id}: lag 1" in offsets("show").out


def test_set_back_events_are_judged_again_under_the_same_verdict_ids(
    kafka: Broker, settings: Settings, offsets: Offsets
) -> None:
    write(kafka, settings, 1, 2, 3)
    asyncio.run(judged(settings, 3))
    told = offsets("set", "--to", "beginning", "--yes")
    assert told.code == 0
    assert shown(offsets)[0]["lag"] == 3
    asyncio.run(judged(settings, 3))
    ids = [it.verdict_id for it in asyncio.run(look(kafka, settings.topics)).audit]
    assert len(ids) == 6
    assert len(set(ids)) == 3


def test_a_time_is_the_first_record_of_that_time_or_later(
    kafka: Broker, settings: Settings, offsets: Offsets
) -> None:
    write(kafka, settings, 1, 2)
    asyncio.run(asyncio.sleep(0.05))
    between = datetime.now(UTC).isoformat()
    asyncio.run(asyncio.sleep(0.05))
    write(kafka, settings, 3)
    asyncio.run(judged(settings, 3))
    assert offsets("set", "--to", between, "--yes").code == 0
    assert shown(offsets)[0]["committed"] == 2


def test_events_are_never_passed_over_unless_that_is_said(
    kafka: Broker, settings: Settings, offsets: Offsets
) -> None:
    write(kafka, settings, 1, 2, 3)
    told = offsets("set", "--to", "end", "--yes")
    assert told.code == 1
    assert "3 events would never be judged" in told.err
    assert shown(offsets)[0]["committed"] is None
    assert offsets("set", "--to", "end", "--pass-over", "--yes").code == 0
    assert shown(offsets)[0]["committed"] == 3


def test_a_dry_run_moves_nothing(kafka: Broker, settings: Settings, offsets: Offsets) -> None:
    write(kafka, settings, 1, 2)
    asyncio.run(judged(settings, 2))
    assert offsets("set", "--to", "beginning", "--dry-run").code == 0
    assert shown(offsets)[0]["committed"] == 2


async def test_while_a_worker_of_the_group_runs_nothing_is_moved(
    kafka: Broker, settings: Settings, offsets: Offsets
) -> None:
    await produce(kafka, settings.topics.events, [event(1)], partition=0)
    async with serving(settings) as app:
        await settled(app, 1)
        told = await asyncio.to_thread(offsets, "set", "--to", "beginning", "--yes")
    assert told.code == 81
    assert "run (members: 1)" in told.err
