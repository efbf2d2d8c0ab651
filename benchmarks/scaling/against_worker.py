"""`python -m benchmarks.scaling.against_worker`: the simulation beside a real worker.

The null engine answers four events at once after a second, so what it can is known. A real worker
process behind the embedded broker gets messages at random times; its own metrics say how long they
waited for the engine and until they were published. The simulation gets messages at the very same
times. What the worker adds (broker, fetching, publishing, a processor that others use as well) is
in its figures and not in the other's.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import monotonic
from typing import NamedTuple
from urllib.request import urlopen

import yaml
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from afterguard.contracts.words import Lane
from afterguard.embedded.broker import EmbeddedBroker
from afterguard.flow.settings import JudgingSettings
from afterguard.sizing.batch_server import BatchServer
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.load import chat_event
from benchmarks.overhead import POLICY
from benchmarks.scaling.arrivals import Load, Message
from benchmarks.scaling.fleet import Fleet
from benchmarks.scaling.worker import Rules
from benchmarks.worker_process import worker_process

AT_ONCE, LATENCY_S = 4, 1.0
_WARM_UP_S = 8.0
_REST_S = 15.0
RATES = (2.4, 3.2, 3.6, 5.0)


class Times(NamedTuple):
    """Means, seconds.

    Attributes:
        events: That they are of.
        waited_s: For the engine.
        engine_s: In the engine.
        whole_s: From a message to its verdict.
    """

    events: int
    waited_s: float
    engine_s: float
    whole_s: float


def simulated(sent: Sequence[float], engine_s: float) -> Times:
    """The simulation's means, of messages at these times and an engine that takes so long."""
    rules = Rules(
        BatchServer(engine_s, 0.0, AT_ONCE), JudgingSettings(deadline_s={Lane.STANDARD: None})
    )
    fleet = Fleet(Load(0.0, partitions=2), rules, 1)
    coming = (Message(at, Lane.STANDARD, 0, asked=True, size=1.0) for at in sent)
    until_s = sent[-1] + 10 * _REST_S
    for _ in fleet.serve(coming, until_s, until_s):
        pass
    count = len(fleet.fates.times)
    waits, times = sum(fleet.fates.waits) / count, sum(fleet.fates.times) / count
    return Times(count, waits, engine_s, times)


async def real(seconds: float, seed: int) -> AsyncIterator[tuple[float, Sequence[float], Times]]:
    """For each rate when messages were sent, and the worker's own means."""
    with TemporaryDirectory(prefix="afterguard-scaling-") as name:
        folder, topics = Path(name), TopicSettings()
        (folder / "policies").mkdir()
        (folder / "policies" / "bench.md").write_text(POLICY, encoding="utf-8")
        async with EmbeddedBroker() as broker:
            servers = broker.bootstrap_servers
            kafka = KafkaSettings(bootstrap_servers=servers)
            await create_topics(kafka, plan_topics(topics, partitions=2, replication=1))
            config = folder / "worker.yaml"
            config.write_text(yaml.safe_dump(_settings(servers, folder / "policies")))
            async with worker_process(config, folder / "worker.log", drains=False) as worker:
                url, random = f"http://127.0.0.1:{worker.port}/metrics", Random(seed)
                await _produce(servers, topics.events, 2.0, _WARM_UP_S, random)
                for per_s in RATES:
                    await asyncio.sleep(_REST_S)
                    before = await asyncio.to_thread(_sums, url)
                    sent = await _produce(servers, topics.events, per_s, seconds, random)
                    # All of it is judged before anybody counts.
                    left_s = max(0.0, len(sent) * LATENCY_S / AT_ONCE - seconds)
                    await asyncio.sleep(_REST_S + left_s)
                    yield per_s, sent, _between(before, await asyncio.to_thread(_sums, url))


def _settings(servers: str, policies: Path) -> dict[str, object]:
    return {
        "kafka": {"bootstrap_servers": servers, "empty_fetch_pause_ms": 5},
        "policies": {"directory": str(policies)},
        "engine": {"kind": "null", "args": {"latency_s": LATENCY_S}},
        "intake": {"max_concurrent_events": AT_ONCE},
        "decide": {"publish_none": True},
        "http": {"port": 0},
    }


async def _produce(
    servers: str, topic: str, per_s: float, seconds: float, random: Random
) -> Sequence[float]:
    producer = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=0)
    await producer.start()
    sent = list[float]()
    try:
        began, due = monotonic(), 0.0
        while (due := due + random.expovariate(per_s)) < seconds:
            await asyncio.sleep(max(0.0, began + due - monotonic()))
            key, value = chat_event(random.randrange(10**9))
            sent.append(monotonic() - began)
            await producer.send(topic, value, key=key)
    finally:
        await producer.stop()
    return sent


def _sums(url: str) -> Mapping[str, float]:
    with urlopen(url, timeout=10) as answer:
        text = answer.read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def _between(before: Mapping[str, float], after: Mapping[str, float]) -> Times:
    def mean(name: str) -> tuple[float, float]:
        part = [after.get(f"{name}_{it}", 0.0) - before.get(f"{name}_{it}", 0.0) for it in _PARTS]
        return part[0], part[1] / part[0]

    _, waited = mean("afterguard_queue_seconds")
    count, whole = mean("afterguard_time_to_intervention_seconds")
    _, engine = mean("afterguard_judge_seconds")
    return Times(int(count), waited, engine, whole)


_PARTS = ("count", "sum")


async def compare(seconds: float, seed: int) -> None:
    """One row for each rate.

    Args:
        seconds: Of each rate.
        seed: Of chance.
    """
    print(f"{AT_ONCE} at once, {LATENCY_S:g} s each: {AT_ONCE / LATENCY_S:g} a second")
    print("                     in the   worker            simulated         simulated, 1 s")
    print("per s   sent  judged  engine s  waited  whole     waited  whole     waited  whole")
    async for per_s, sent, seen in real(seconds, seed):
        told, ideal = simulated(sent, seen.engine_s), simulated(sent, LATENCY_S)
        pairs = "   ".join(f"{it.waited_s:8.2f} {it.whole_s:6.2f}" for it in (seen, told, ideal))
        print(f"{per_s:5.1f} {len(sent):6} {seen.events:7} {seen.engine_s:9.2f}{pairs}", flush=True)


def main() -> None:
    """Measure and simulate, rate by rate."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling.against_worker", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for each rate")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    asyncio.run(compare(asked.seconds, asked.seed))


if __name__ == "__main__":
    main()
