"""The demo's worker is a real `afterguard run`, watched and ended from outside."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import orjson
import pytest
import yaml
from pydantic import SecretStr
from tests.conftest import Broker
from tests.samples import event_fields

from afterguard.contracts.errors import EngineUnavailable
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.embedded.demo_worker import DemoWorker
from afterguard.embedded.process import free_port
from afterguard.engine.settings import EngineSettings
from afterguard.health.settings import HttpSettings
from afterguard.policy.settings import PolicySettings
from afterguard.settings import Settings
from afterguard.state.settings import RedisSettings
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.slow]

_READY_S = 60.0
_DRAIN_S = 30.0
_EVENTS = 20

_POLICY = """\
---
id: manners
title: Good manners
owner: trust@example.org
rules:
  - {id: M1, title: Shouting at people, severity: low, action: label}
---
## Instruction
Judge manners.
## Definitions
Shouting: M1.
## Criteria
M1 is a violation.
## Examples
HEY: M1.
"""

StartWorker = Callable[[Settings], Awaitable[DemoWorker]]


@pytest.fixture
async def start_worker(tmp_path: Path) -> AsyncIterator[StartWorker]:
    """Starts a worker; it is gone when the test ends."""
    async with AsyncExitStack() as stack:

        async def start(settings: Settings) -> DemoWorker:
            worker = DemoWorker(settings, tmp_path)
            stack.push_async_callback(worker.drain, _DRAIN_S)
            await worker.start()
            return worker

        yield start


def _settings(kafka: Broker, topics: TopicSettings, folder: Path, **sections: object) -> Settings:
    policies = folder / "policies"
    policies.mkdir()
    (policies / "manners.md").write_text(_POLICY)
    values: dict[str, object] = {
        "kafka": kafka.settings(),
        "topics": topics,
        "engine": EngineSettings(kind="null"),
        "policies": PolicySettings(directory=policies),
        "http": HttpSettings(port=free_port()),
    }
    return Settings.model_validate(values | sections)


async def _send(settings: Settings) -> None:
    producer = KafkaProducer(settings.kafka)
    await producer.start()
    try:
        for number in range(_EVENTS):
            event = event_fields(event_id=f"e-{number}")
            record = OutputRecord(settings.topics.events, None, orjson.dumps(event))
            await (await producer.send(record))
    finally:
        await producer.stop()


async def test_it_becomes_ready_shows_its_figures_and_drains(
    kafka: Broker, topics: TopicSettings, tmp_path: Path, start_worker: StartWorker
) -> None:
    settings = _settings(kafka, topics, tmp_path)
    worker = await start_worker(settings)
    await worker.ready(lambda _: None, _READY_S)
    await _send(settings)
    async with asyncio.timeout(_READY_S):
        while (glance := await worker.glance()).verdicts < _EVENTS or glance.in_flight:
            assert not worker.ended
            await asyncio.sleep(0.05)
    assert (glance.received, glance.verdicts, glance.interventions) == (_EVENTS, _EVENTS, 0)
    assert await worker.drain(_DRAIN_S) == ExitCode.DRAINED
    assert worker.ended
    assert (await worker.glance()).received == 0


async def test_what_a_person_has_set_for_their_own_worker_does_not_lead_this_one(
    kafka: Broker,
    topics: TopicSettings,
    tmp_path: Path,
    start_worker: StartWorker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setenv("AFTERGUARD_HTTP__ENABLED", "false")
    worker = await start_worker(
        _settings(kafka, topics, tmp_path, http=HttpSettings(port=free_port(), enabled=True))
    )
    await worker.ready(lambda _: None, _READY_S)


async def test_settings_that_cannot_be_used_are_told_with_the_end_of_the_log(
    kafka: Broker, topics: TopicSettings, tmp_path: Path, start_worker: StartWorker
) -> None:
    broken = topics.model_copy(update={"audit": topics.events})
    worker = await start_worker(_settings(kafka, broken, tmp_path))
    with pytest.raises(
        EngineUnavailable, match=r"topics\.events, topics\.audit: each needs"
    ) as told:
        await worker.ready(lambda _: None, _READY_S)
    assert f"ended with code {ExitCode.CONFIGURATION.value}" in str(told.value)
    assert worker.ended


async def test_a_missing_topic_is_told_with_the_command_that_makes_it(
    kafka: Broker, topics: TopicSettings, tmp_path: Path, start_worker: StartWorker
) -> None:
    absent = topics.model_copy(update={"events": f"{topics.events}.absent"})
    worker = await start_worker(_settings(kafka, absent, tmp_path))
    with pytest.raises(EngineUnavailable, match="afterguard topics create"):
        await worker.ready(lambda _: None, _READY_S)
    assert await worker.drain(_DRAIN_S) == ExitCode.STREAM_LOST


async def test_one_that_takes_too_long_is_told_and_can_still_be_ended(
    kafka: Broker, topics: TopicSettings, tmp_path: Path, start_worker: StartWorker
) -> None:
    worker = await start_worker(_settings(kafka, topics, tmp_path))
    with pytest.raises(EngineUnavailable, match="not ready within 0 s"):
        await worker.ready(lambda _: None, 0)
    await worker.drain(_DRAIN_S)
    assert worker.ended


async def test_its_settings_file_holds_credentials_and_is_for_its_owner_alone(
    kafka: Broker, topics: TopicSettings, tmp_path: Path, start_worker: StartWorker
) -> None:
    url = "redis://:secret@127.0.0.1:1/0"
    await start_worker(_settings(kafka, topics, tmp_path, redis=RedisSettings(url=SecretStr(url))))
    config = tmp_path / "afterguard.yaml"
    assert yaml.safe_load(config.read_text())["redis"]["url"] == url
    assert config.stat().st_mode & 0o777 == 0o600
