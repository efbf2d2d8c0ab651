"""One run of the demo: services up, worker up, events in, worker drained, topics counted."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar, cast

import orjson
from pydantic import SecretStr
from rich.console import Console
from rich.live import Live

from afterguard.cli import demo_report
from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.replay_rows import ReadyRow, RowEvents
from afterguard.cli.rows import RowFile
from afterguard.contracts.codec import decode_event
from afterguard.contracts.errors import EngineUnavailable, SettingsError
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.demo_events import demo_events
from afterguard.embedded.demo_worker import DemoWorker, Glance, run_directory
from afterguard.embedded.model import prepare_model
from afterguard.embedded.process import free_port
from afterguard.embedded.tally import Tally, tally
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.engine.settings import EngineSettings
from afterguard.health.settings import HttpSettings
from afterguard.policy.registry import load_policies
from afterguard.policy.settings import PolicySettings
from afterguard.settings import Settings
from afterguard.state.settings import RedisSettings
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import InputSettings, KafkaSettings

_READY_S: Final = 600.0
_DRAIN_S: Final = 60.0
_LOOK_S: Final = 0.5
_PARTITIONS: Final = 4

T = TypeVar("T")


class Interrupted(Exception):
    """Ctrl-C before there was anything to drain."""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What to run.

    Attributes:
        events: How many; of a file: at most.
        rate: Events per second; 0 for all at once.
        file: Rows to send; None for the events that come with Afterguard.
        text: JMESPath of the text in a row.
        policies: Judge under these only; empty for all.
        null_engine: Whether to run without a model.
    """

    events: int
    rate: float
    file: str | None
    text: str | None
    policies: tuple[str, ...]
    null_engine: bool


async def run_demo(
    plan: DemoPlan, interrupted: asyncio.Event, console: Console
) -> tuple[Tally, int]:
    """Run it, and count what an independent reader finds in the topics.

    Args:
        plan: What to run.
        interrupted: Set to drain and count before everything is judged.
        console: Where progress is shown.

    Returns:
        The counts, and the worker's exit code.

    Raises:
        Interrupted: Asked to end before the worker was ready.
        AfterguardError: Something cannot be started; says what to do.
    """

    def told(stage: str) -> None:
        console.print(f"  [dim]{stage}[/]", highlight=False)

    demo_report.welcome(console, null_engine=plan.null_engine)
    policies = PolicySettings(only=list(plan.policies) or None)
    registry = load_policies(policies)
    records = await asyncio.to_thread(_file_records, plan) if plan.file else None
    engine = await _unless(interrupted, _engine(plan, told))
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(run_directory()))
        console.print("starting the embedded broker and Valkey")
        broker = await stack.enter_async_context(EmbeddedBroker())
        valkey = await stack.enter_async_context(EmbeddedValkey())
        settings = Settings(
            kafka=KafkaSettings(bootstrap_servers=broker.bootstrap_servers, group_id="demo"),
            redis=RedisSettings(url=SecretStr(valkey.url)),
            http=HttpSettings(port=free_port()),
            policies=policies,
            engine=engine,
        )
        await create_topics(
            settings.kafka, plan_topics(settings.topics, partitions=_PARTITIONS, replication=1)
        )
        worker = DemoWorker(settings, directory)
        stack.push_async_callback(worker.drain, _DRAIN_S)
        began = monotonic()
        console.print("starting the worker")
        await worker.start()
        await _unless(interrupted, worker.ready(told, _READY_S))
        console.print(f"the worker is ready after {monotonic() - began:.0f} s")
        chosen = iter(records) if records is not None else _demo_records(plan.events, settings)
        total = len(records) if records is not None else plan.events
        async with asyncio.TaskGroup() as group:
            sent = group.create_task(_send(settings, chosen, plan.rate, interrupted))
            await _watch(worker, total, sent, interrupted, console)
        console.print("draining the worker, then reading the topics from offset 0")
        code = await worker.drain(_DRAIN_S)

        def policies_for(record: InputRecord) -> list[str]:
            event = decode_event(record, max_bytes=settings.input.max_event_bytes)
            applicable, _ = registry.applicable(event)
            return [] if event.is_blank else [policy.id for policy in applicable]

        return await tally(settings, policies_for), code


async def _unless(interrupted: asyncio.Event, work: Awaitable[T]) -> T:
    doing = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(interrupted.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise Interrupted
        return doing.result()
    finally:
        for task in (doing, waiting):
            task.cancel()
        await asyncio.gather(doing, waiting, return_exceptions=True)


async def _engine(plan: DemoPlan, told: Callable[[str], None]) -> EngineSettings:
    if plan.null_engine:
        return EngineSettings(kind="null")
    prepare_environment()
    return cpu_engine_settings(await asyncio.to_thread(prepare_model, told))


def _file_records(plan: DemoPlan) -> list[OutputRecord]:
    assert plan.file is not None
    events = RowEvents(
        {"content": plan.text} if plan.text else {}, max_bytes=InputSettings().max_event_bytes
    )
    topic = Settings.model_fields["topics"].default.events
    records: list[OutputRecord] = []
    with RowFile(plan.file) as rows:
        for row in events.prepare(rows, topic):
            if not isinstance(row, ReadyRow):
                raise SettingsError([f"--file: {plan.file}:{row.line}: {row.reason}: {row.detail}"])
            records.append(row.record)
            if len(records) == plan.events:
                break
    if not records:
        raise SettingsError([f"--file: {plan.file} holds no rows"])
    return records


def _demo_records(events: int, settings: Settings) -> Iterator[OutputRecord]:
    start = datetime.now(UTC)
    for event in demo_events(events, start):
        # Said at the moment of sending; an author whose clock is ahead stays ahead.
        said = cast("datetime", event["occurred_at"]) + (datetime.now(UTC) - start)
        said_now = {**event, "occurred_at": said}
        key = str(event["conversation_id"]).encode()
        yield OutputRecord(settings.topics.events, key, orjson.dumps(said_now))


async def _send(
    settings: Settings, records: Iterator[OutputRecord], rate: float, interrupted: asyncio.Event
) -> int:
    producer = KafkaProducer(settings.kafka)
    await producer.start()
    sends = AcknowledgedSends(producer)
    try:
        for record in records:
            await sends.send(record)
            if rate:
                with suppress(TimeoutError):
                    await asyncio.wait_for(interrupted.wait(), 1 / rate)
            if interrupted.is_set():
                break
        await sends.flush()
    finally:
        await producer.stop()
    return sends.acknowledged


async def _watch(
    worker: DemoWorker,
    events: int,
    sent: "asyncio.Task[int]",
    interrupted: asyncio.Event,
    console: Console,
) -> None:
    began = monotonic()
    glance = Glance()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while not interrupted.is_set():
            if worker.ended:
                raise EngineUnavailable(
                    f"the worker ended too soon; the end of its log:\n{await worker.last_words()}"
                )
            glance = await worker.glance()
            live.update(demo_report.progress(glance, events, monotonic() - began))
            everything_in = sent.done() and glance.received >= sent.result()
            if everything_in and not glance.in_flight and not glance.lag:
                break
            await asyncio.sleep(_LOOK_S)
    if not interrupted.is_set():
        console.print(f"{glance.received} events went through in {monotonic() - began:.0f} s")
