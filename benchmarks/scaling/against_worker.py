"""`python -m benchmarks.scaling.against_worker`: the simulation beside a real worker.

The null engine answers ten events at once after a fixed time, so it is M/D/10. A real worker
process behind the embedded broker gets messages at random times at known rates; its own metrics say
how long they waited for the engine and until they were published. The simulation gets the same
rates. What the worker adds (broker, fetching, publishing) is in its figures and not in the other's.
"""

import argparse
import asyncio
from collections.abc import Mapping
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
from benchmarks.scaling.arrivals import Load
from benchmarks.scaling.fleet import Fleet
from benchmarks.scaling.worker import Rules
from benchmarks.worker_process import worker_process

AT_ONCE, LATENCY_S = 10, 0.2
_WARM_UP_S = 5.0


class Times(NamedTuple):
    """Means, seconds.

    Attributes:
        events: That they are of.
        waited_s: For the engine.
        whole_s: From a message to its verdict.
    """

    events: int
    waited_s: float
    whole_s: float


def simulated(per_s: float, seconds: float, seed: int) -> Times:
    """The simulation's means."""
    rules = Rules(
        BatchServer(LATENCY_S, 0.0, AT_ONCE), JudgingSettings(deadline_s={Lane.STANDARD: None})
    )
    fleet = Fleet(Load(per_s, lanes={Lane.STANDARD: 1.0}, partitions=2), rules, 1)
    for _ in fleet.run(seconds, seed, shape=None, every_s=seconds):
        pass
    count = len(fleet.fates.times)
    return Times(count, sum(fleet.fates.waits) / count, sum(fleet.fates.times) / count)


async def real(per_s: float, seconds: float, seed: int) -> Times:
    """A worker's own means, after a warm-up."""
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
                url = f"http://127.0.0.1:{worker.port}/metrics"
                await _produce(servers, topics.events, per_s, _WARM_UP_S, Random(seed))
                before = await asyncio.to_thread(_sums, url)
                await _produce(servers, topics.events, per_s, seconds, Random(seed + 1))
                await asyncio.sleep(2.0)
                return _between(before, await asyncio.to_thread(_sums, url))


def _settings(servers: str, policies: Path) -> dict[str, object]:
    return {
        "kafka": {"bootstrap_servers": servers, "empty_fetch_pause_ms": 5},
        "policies": {"directory": str(policies)},
        "engine": {"kind": "null", "args": {"latency_s": LATENCY_S}},
        "intake": {"max_concurrent_events": AT_ONCE},
        "decide": {"publish_none": True},
        "http": {"port": 0},
    }


async def _produce(servers: str, topic: str, per_s: float, seconds: float, random: Random) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, linger_ms=0)
    await producer.start()
    try:
        began, due, number = monotonic(), 0.0, 0
        while (due := due + random.expovariate(per_s)) < seconds:
            await asyncio.sleep(max(0.0, began + due - monotonic()))
            key, value = chat_event(random.randrange(10**9))
            await producer.send(topic, value, key=key)
            number += 1
    finally:
        await producer.stop()


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
    return Times(int(count), waited, whole)


_PARTS = ("count", "sum")


def main() -> None:
    """Measure and simulate at three rates; one row for each."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling.against_worker", description=__doc__
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for each rate")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    print("per s  events   waited ms: worker  simulated   whole ms: worker  simulated")
    for per_s in (25.0, 40.0, 45.0):
        seen = asyncio.run(real(per_s, asked.seconds, asked.seed))
        told = simulated(per_s, 3_000, asked.seed)
        print(
            f"{per_s:5.0f} {seen.events:7} {seen.waited_s * 1e3:18.1f} {told.waited_s * 1e3:10.1f} "
            f"{seen.whole_s * 1e3:18.1f} {told.whole_s * 1e3:10.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
