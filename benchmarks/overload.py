"""`python -m benchmarks.overload`: one worker at many times its sustainable load, for minutes.

The null engine answers ten events at once after a fixed time, so what the worker can sustain is
known; a producer writes ten times as much, of all lanes. Told are its memory, what is in flight,
the lag, whether intake is paused, and what expired or was shed. Exits with 1 when the memory
grows after the warm-up, when more was in flight than allowed, or when intake was never paused.
Linux only: the memory is read from /proc.
"""

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import yaml

from afterguard.embedded.broker import EmbeddedBroker
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.bounded_fetches import BoundedFetches
from benchmarks.flatness import flatness
from benchmarks.load import flooded
from benchmarks.overhead import POLICY
from benchmarks.overload_sample import Sample, sample
from benchmarks.worker_process import RunningWorker, worker_process

AT_ONCE, LATENCY_S = 10, 0.2
SUSTAINABLE_PER_S = AT_ONCE / LATENCY_S
EVENTS_IN_FLIGHT = 4_000
_FETCH_BYTES = 2**20
_GROWTH_SHARE, _GROWTH_MIB = 0.05, 8.0


def settings(bootstrap_servers: str, policies: str) -> dict[str, object]:
    """Of the worker: everything as by default, but for an engine that is slow and small."""
    return {
        "kafka": {"bootstrap_servers": bootstrap_servers, "empty_fetch_pause_ms": 20},
        "policies": {"directory": policies},
        "engine": {"kind": "null", "args": {"latency_s": LATENCY_S}},
        "intake": {
            "max_events_in_flight": EVENTS_IN_FLIGHT,
            "max_tokens_in_flight": 200_000,
            "min_tokens_in_flight": 5_000,
            "max_concurrent_events": AT_ONCE,
        },
        "judging": {
            "deadline_s": {"live": 10, "standard": 60},
            "shed_after_s": {"backfill": 60},
            "shed_above": 500,
        },
        "http": {"port": 0},
    }


async def measure(seconds: float, factor: float, every_s: float) -> list[Sample]:
    """One worker under that load, looked at so often; each look is printed.

    Args:
        seconds: How long.
        factor: Times the sustainable load.
        every_s: Seconds between two looks.
    """
    with TemporaryDirectory(prefix="afterguard-overload-") as name:
        folder = Path(name)
        (folder / "policies").mkdir()
        (folder / "policies" / "bench.md").write_text(POLICY, encoding="utf-8")
        async with (
            EmbeddedBroker() as broker,
            BoundedFetches(int(broker.bootstrap_servers.rpartition(":")[2]), _FETCH_BYTES) as proxy,
        ):
            servers, topics = broker.bootstrap_servers, TopicSettings()
            kafka = KafkaSettings(bootstrap_servers=servers)
            await create_topics(kafka, plan_topics(topics, partitions=2, replication=1))
            config = folder / "worker.yaml"
            config.write_text(
                yaml.safe_dump(settings(proxy.bootstrap_servers, str(folder / "policies")))
            )
            rate = factor * SUSTAINABLE_PER_S
            async with (
                # What waits at the end is a minute of work; nobody needs it.
                worker_process(config, folder / "worker.log", drains=False) as worker,
                flooded(servers, topics.events, rate),
            ):
                return await _watch(worker, seconds, every_s)


async def _watch(worker: RunningWorker, seconds: float, every_s: float) -> list[Sample]:
    began, samples = monotonic(), list[Sample]()
    shown = 0.0
    print(Sample.head(), flush=True)
    while (passed := monotonic() - began) < seconds:
        samples.append(await sample(worker.pid, worker.port, passed))
        if passed >= shown:
            print(samples[-1].row(), flush=True)
            shown += every_s
        await asyncio.sleep(min(1.0, every_s))
    print(samples[-1].row(), flush=True)
    return samples


def verdict(samples: Sequence[Sample], warm_up_s: float) -> list[str]:
    """What is wrong; nothing when all is well."""
    wrong = []
    memory = flatness(
        [it.at_s for it in samples],
        [it.rss_mib for it in samples],
        warm_up=warm_up_s,
        share=_GROWTH_SHARE,
        least=_GROWTH_MIB,
    )
    print(
        f"memory after {warm_up_s:.0f} s: median {memory.median:.1f} MiB, "
        f"grows by {memory.growth:+.1f} MiB, allowed {memory.allowed:.1f} MiB"
    )
    if not memory.flat:
        wrong.append("the memory grows")
    if max(it.events for it in samples) > EVENTS_IN_FLIGHT:
        wrong.append("more events were in flight than allowed")
    if not any(it.paused for it in samples):
        wrong.append("intake was never paused")
    return wrong


def main() -> None:
    """Measure, tell, and exit with 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overload", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--factor", type=float, default=10.0, help="times the sustainable load")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between two rows")
    asked = parser.parse_args()
    seconds = 60 * asked.minutes
    rate = asked.factor * SUSTAINABLE_PER_S
    print(f"the engine sustains {SUSTAINABLE_PER_S:.0f} events a second and gets {rate:.0f}")
    samples = asyncio.run(measure(seconds, asked.factor, asked.every))
    wrong = verdict(samples, warm_up_s=min(120.0, seconds / 3))
    print("; ".join(wrong) or "flat")
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
