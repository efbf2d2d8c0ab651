"""A whole worker on a real broker, in this process: every room is real but the engine."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from tests.balance import assert_ended_in_balance
from tests.conftest import Broker
from tests.onlooker import committed, read_topic
from tests.samples import event_fields

from afterguard.app import App, build
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import Headers, InputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.engine.null_engine import NullJudge
from afterguard.flow.ports import Judge
from afterguard.lifecycle import Stop, serve
from afterguard.settings import Settings
from afterguard.stream.settings import TopicSettings

WAIT_S = 40.0


@dataclass
class Found:
    """What an onlooker read back from the topics, from offset 0."""

    events: list[InputRecord]
    audit_records: list[InputRecord]
    intervention_records: list[InputRecord]
    letter_records: list[InputRecord]
    audit: list[AuditRecord] = field(init=False)
    interventions: list[Intervention] = field(init=False)
    letters: list[DeadLetter] = field(init=False)

    def __post_init__(self) -> None:
        self.audit = [AuditRecord.model_validate_json(it.value or b"") for it in self.audit_records]
        self.interventions = [
            Intervention.model_validate_json(it.value or b"") for it in self.intervention_records
        ]
        self.letters = [
            DeadLetter.model_validate_json(it.value or b"") for it in self.letter_records
        ]

    def verdicts_on(self, where: Coordinates) -> list[AuditRecord]:
        """The verdicts on one input record."""
        return [it for it in self.audit if (it.topic, it.partition, it.offset) == where]

    def letters_on(self, where: Coordinates) -> list[DeadLetter]:
        """The dead letters of one input record, part by part."""
        mine = [it for it in self.letters if (it.topic, it.partition, it.offset) == where]
        return sorted(mine, key=lambda letter: letter.part)

    def original(self, where: Coordinates) -> bytes | None:
        """The value that the dead letters of one input record hold."""
        parts = self.letters_on(where)
        return None if parts[0].value is None else b"".join(it.value or b"" for it in parts)

    @property
    def lost(self) -> list[Coordinates]:
        """Input records that nothing was written about."""
        told = {(it.topic, it.partition, it.offset) for it in self.audit}
        told |= {(it.topic, it.partition, it.offset) for it in self.letters}
        return [it.coordinates for it in self.events if it.coordinates not in told]


async def look(broker: Broker, topics: TopicSettings) -> Found:
    """Read all four topics."""
    names = (topics.events, topics.audit, topics.interventions, topics.dead_letters)
    return Found(*[await read_topic(broker.bootstrap_servers, name) for name in names])


def event(number: int = 1, **changes: Any) -> bytes:
    """A valid event of this number."""
    return orjson.dumps(event_fields(event_id=f"e-{number}", **changes))


async def produce(
    broker: Broker,
    topic: str,
    values: Sequence[bytes | None],
    *,
    headers: Headers = (),
    partition: int | None = None,
) -> list[Coordinates]:
    """Write values as a foreign producer does, as large as the broker takes them.

    Raises:
        MessageSizeTooLargeError: The broker refused one.
    """
    async with AIOKafkaProducer(
        bootstrap_servers=broker.bootstrap_servers, max_request_size=16 * 2**20
    ) as producer:
        sent = [
            await producer.send(topic, value, b"k-%d" % number, partition, headers=list(headers))
            for number, value in enumerate(values)
        ]
        return [Coordinates(topic, it.partition, it.offset) for it in [await one for one in sent]]


async def produce_largest(
    broker: Broker, topic: str, values: Sequence[bytes]
) -> tuple[Coordinates, bytes]:
    """Write the first of these that the broker takes."""
    for value in values:
        try:
            return (await produce(broker, topic, [value], partition=0))[0], value
        except MessageSizeTooLargeError:
            continue
    raise AssertionError("the broker took none of them")


def worker_settings(broker: Broker, topics: TopicSettings, **sections: Any) -> Settings:
    """Settings of a quick worker with the null engine and one policy."""
    kafka = broker.settings(**sections.pop("kafka", {}))
    quick: dict[str, Any] = {
        "kafka": kafka,
        "topics": topics,
        "engine": {"kind": "null"},
        "http": {"enabled": False},
        "policies": {"only": ["harassment"]},
        "delivery": {"commit_interval_s": 0.05, "drain_timeout_s": 10, "revoke_grace_s": 5},
    }
    return Settings(**{**quick, **sections})


@asynccontextmanager
async def serving(settings: Settings, judge: Judge | None = None) -> AsyncIterator[App]:
    """A worker that takes events now, and drains at the end with exit code 0."""
    app, stop, ready = build(settings, judge=judge or NullJudge()), Stop(), asyncio.Event()
    running = asyncio.create_task(serve(app, stop, ready=ready.set))
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        assert not running.done(), running.result()
        yield app
    finally:
        waiting.cancel()
        stop.ask()
        assert await running is ExitCode.DRAINED
        assert_ended_in_balance(app)


async def settled(app: App, count: int) -> None:
    """Wait until so many events are settled; fails when the worker ends or is too slow."""
    async with asyncio.timeout(WAIT_S):
        while app.assignments.fates.settled < count:
            await asyncio.sleep(0.01)


async def committed_of(broker: Broker, settings: Settings) -> dict[int, int]:
    """What the worker's group has committed."""
    return await committed(
        broker.bootstrap_servers, settings.kafka.group_id, settings.topics.events
    )
