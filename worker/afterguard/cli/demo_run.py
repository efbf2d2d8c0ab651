"""One run of the demo: services up, worker up, events in, worker drained, topics counted."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from time import monotonic
from typing import Final, TypeVar

from pydantic import SecretStr
from rich.console import Console
from rich.live import Live

from afterguard.cli import demo_report
from afterguard.cli.demo_traffic import DemoPlan, Traffic, file_records
from afterguard.contracts.codec import decode_event
from afterguard.contracts.errors import EngineUnavailable
from afterguard.contracts.records import InputRecord
from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS, EmbeddedBroker
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.demo_worker import DemoWorker, run_directory
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
from afterguard.stream.settings import KafkaSettings

_READY_S: Final = 600.0
_DRAIN_S: Final = 60.0
_LOOK_S: Final = 0.5
_PARTITIONS: Final = 4

T = TypeVar("T")


class Interrupted(Exception):
    """Ctrl-C before there was anything to drain."""


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
    records = await asyncio.to_thread(file_records, plan) if plan.file else None
    engine = await _unless(interrupted, _engine(plan, told))
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(run_directory()))
        console.print("starting the embedded broker and Valkey")
        broker = await stack.enter_async_context(EmbeddedBroker())
        valkey = await stack.enter_async_context(EmbeddedValkey())
        settings = Settings(
            kafka=KafkaSettings(
                bootstrap_servers=broker.bootstrap_servers,
                group_id="demo",
                empty_fetch_pause_ms=EMPTY_FETCH_PAUSE_MS,
            ),
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
        traffic = Traffic(plan, settings, records)
        async with asyncio.TaskGroup() as group:
            sent = group.create_task(traffic.send(interrupted))
            await _watch(worker, traffic, sent, interrupted, console)
        if (held := traffic.total - sent.result()) and not interrupted.is_set():
            console.print(
                f"this machine is slow: {held} of {traffic.total} events were not sent, to be done "
                f"in time; --events {traffic.total} sends them all"
            )
        console.print("draining the worker, then reading the topics from offset 0")
        code = await worker.drain(_DRAIN_S)

        def policies_for(record: InputRecord) -> list[str]:
            event = decode_event(record, max_bytes=settings.input.max_event_bytes)
            applicable, _ = registry.applicable(event)
            return [] if event.is_blank else [policy.handle for policy in applicable]

        result = await tally(settings, policies_for)
        # What the broker acknowledged and does not have was lost before the worker could see it.
        result.lost += max(0, sent.result() - result.events)
        return result, code


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


async def _watch(
    worker: DemoWorker,
    traffic: Traffic,
    sent: "asyncio.Task[int]",
    interrupted: asyncio.Event,
    console: Console,
) -> None:
    began = monotonic()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        while not interrupted.is_set():
            if worker.ended:
                raise EngineUnavailable(
                    f"the worker ended too soon; the end of its log:\n{await worker.last_words()}"
                )
            glance = await worker.glance()
            traffic.tell(glance.settled)
            live.update(demo_report.progress(glance, traffic.total, monotonic() - began))
            if sent.done() and glance.settled >= sent.result():
                console.print(
                    f"{glance.settled} events went through in {monotonic() - began:.0f} s"
                )
                return
            await asyncio.sleep(_LOOK_S)
    traffic.end()
