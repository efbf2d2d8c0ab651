"""`afterguard demo`: the whole system on this machine, with nothing to set up."""

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import orjson
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.live import Live

from afterguard.cli import demo_report
from afterguard.cli.failing import told_plainly
from afterguard.contracts.codec import decode_event
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.demo_events import demo_events
from afterguard.embedded.demo_worker import DemoWorker, Glance, run_directory
from afterguard.embedded.model import prepare_model
from afterguard.embedded.tally import Tally, tally
from afterguard.embedded.valkey import EmbeddedValkey
from afterguard.engine.settings import EngineSettings
from afterguard.health.settings import HttpSettings
from afterguard.policy.registry import load_policies
from afterguard.settings import Settings
from afterguard.state.settings import RedisSettings
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import KafkaSettings

_READY_S = 600.0
_DRAIN_S = 60.0


def demo_command(
    events: int = typer.Option(240, min=1, max=100_000, help="How many chat events to replay."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object last."),
    rate: float = typer.Option(0, min=0, help="Events per second; 0 sends them all at once."),
    null_engine: bool = typer.Option(
        False, "--null-engine", help="No model at all: shows the flow in seconds."
    ),
) -> None:
    """Run everything here: broker, Valkey, a small model in vLLM on the CPU, and the worker.

    The embedded model shows the machinery; it is no judge. Ctrl-C drains and counts what is there.

    Example:  afterguard demo --events 200 --json
    """
    console = Console(stderr=as_json)
    with told_plainly():
        result, code = asyncio.run(_demo(events, rate, null_engine, console))
    demo_report.show(result, console)
    if as_json:
        typer.echo(orjson.dumps(result.as_json()).decode())
    raise typer.Exit(code or (1 if result.lost or result.duplicates else 0))


async def _demo(events: int, rate: float, null_engine: bool, console: Console) -> tuple[Tally, int]:
    told: Callable[[str], None] = lambda stage: console.print(f"  [dim]{stage}[/]")  # noqa: E731
    interrupted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
    demo_report.welcome(console, null_engine=null_engine)
    engine = EngineSettings(kind="null") if null_engine else await _engine(told)
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(run_directory()))
        console.print("starting the embedded broker and Valkey")
        broker = await stack.enter_async_context(EmbeddedBroker())
        valkey = await stack.enter_async_context(EmbeddedValkey())
        settings = Settings(
            kafka=KafkaSettings(bootstrap_servers=broker.bootstrap_servers, group_id="demo"),
            redis=RedisSettings(url=SecretStr(valkey.url)),
            http=HttpSettings(port=_free_port()),
            engine=engine,
        )
        await create_topics(
            settings.kafka, plan_topics(settings.topics, partitions=4, replication=1)
        )
        worker = DemoWorker(settings, directory)
        stack.push_async_callback(worker.drain, _DRAIN_S)
        began = monotonic()
        console.print("starting the worker")
        await worker.start()
        await worker.ready(told, _READY_S)
        console.print(f"the worker is ready after {monotonic() - began:.0f} s")
        async with asyncio.TaskGroup() as group:
            sent = group.create_task(_send(settings, events, rate, interrupted))
            await _watch(worker, events, sent, interrupted, console)
        console.print("draining the worker, then reading the topics from offset 0")
        code = await worker.drain(_DRAIN_S)
        registry = load_policies(settings.policies)

        def policies_for(record: InputRecord) -> list[str]:
            event = decode_event(record, max_bytes=settings.input.max_event_bytes)
            applicable, _ = registry.applicable(event)
            return [] if event.is_blank else [policy.id for policy in applicable]

        result = await tally(
            broker.bootstrap_servers,
            settings.topics,
            policies_for=None if interrupted.is_set() else policies_for,
        )
        return result, code


async def _engine(told: Callable[[str], None]) -> EngineSettings:
    prepare_environment()
    return cpu_engine_settings(await asyncio.to_thread(prepare_model, told))


async def _send(settings: Settings, events: int, rate: float, interrupted: asyncio.Event) -> int:
    producer = KafkaProducer(settings.kafka)
    await producer.start()
    acknowledged = []
    try:
        for number, event in enumerate(demo_events(events, start=datetime.now(UTC))):
            if interrupted.is_set():
                break
            said_now = {**event, "occurred_at": datetime.now(UTC)}
            acknowledged.append(
                await producer.send(
                    OutputRecord(
                        settings.topics.events,
                        str(event["conversation_id"]).encode(),
                        orjson.dumps(said_now),
                    )
                )
            )
            if rate:
                await asyncio.sleep(1 / rate)
            elif number % 50 == 49:
                await asyncio.sleep(0)
        await asyncio.gather(*acknowledged)
    finally:
        await producer.stop()
    return len(acknowledged)


async def _watch(
    worker: DemoWorker,
    events: int,
    sent: "asyncio.Task[int]",
    interrupted: asyncio.Event,
    console: Console,
) -> None:
    began = monotonic()
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        glance = Glance()
        while not interrupted.is_set() and not worker.ended:
            glance = await worker.glance()
            live.update(demo_report.progress(glance, events, monotonic() - began))
            done = sent.done() and glance.received >= sent.result()
            if done and not glance.in_flight and not glance.lag:
                break
            await asyncio.sleep(0.5)
    console.print(
        f"{glance.verdicts} verdicts on {glance.received} events in {monotonic() - began:.0f} s"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
