"""`python -m benchmarks.tracing`: what tracing costs the whole worker with the null engine.

Off, a share and every event in turns, each in a fresh process and a fresh group; the collector
takes spans in this process and drops them.
"""

import argparse
import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from uuid import uuid4

from aiohttp import web

from afterguard.embedded.broker import EmbeddedBroker
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.child import Figures, measured
from benchmarks.load import fill
from benchmarks.overhead import POLICY

_SIDES = {"off": None, "1 %": 0.01, "100 %": 1.0}


async def measure(events: int, rounds: int) -> dict[str, list[Figures]]:
    """The figures of each round, by side.

    Args:
        events: In one round.
        rounds: How often.
    """
    found: dict[str, list[Figures]] = {side: [] for side in _SIDES}
    with TemporaryDirectory(prefix="afterguard-bench-") as folder:
        Path(folder, "bench.md").write_text(POLICY, encoding="utf-8")
        async with EmbeddedBroker() as broker, _collector() as endpoint:
            servers, topics = broker.bootstrap_servers, TopicSettings()
            kafka = KafkaSettings(bootstrap_servers=servers)
            await create_topics(kafka, plan_topics(topics, partitions=1, replication=1))
            await fill(servers, topics.events, events)
            names = topics.events, topics.audit, topics.interventions, topics.dead_letters
            for number in range(rounds):
                for side, share in _SIDES.items():
                    _say(endpoint, share)
                    group = f"worker-{uuid4()}"
                    figures = await measured("worker", servers, *names, group, str(events), folder)
                    found[side].append(figures)
                    print(
                        f"round {number + 1}, {side}: {figures.per_s:,.0f}/s, "
                        f"{figures.cpu_us:.0f} us an event",
                        flush=True,
                    )
    return found


def _say(endpoint: str, share: float | None) -> None:
    """Tell the next process by its environment."""
    os.environ["AFTERGUARD_TRACING__ENABLED"] = "true" if share is not None else "false"
    os.environ["AFTERGUARD_TRACING__ENDPOINT"] = endpoint
    os.environ["AFTERGUARD_TRACING__SAMPLE_SHARE"] = str(share or 0.0)


@asynccontextmanager
async def _collector() -> AsyncIterator[str]:
    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response()

    app = web.Application(client_max_size=64 * 2**20)
    app.router.add_post("/v1/traces", take)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def main() -> None:
    """Measure and print the medians; the last line is JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tracing", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000, help="in one round")
    parser.add_argument("--rounds", type=int, default=5, help="of each side, in turns")
    asked = parser.parse_args()
    found = asyncio.run(measure(asked.events, asked.rounds))
    cpu = {side: median(it.cpu_us for it in figures) for side, figures in found.items()}
    per_s = {side: median(it.per_s for it in figures) for side, figures in found.items()}
    print(
        json.dumps(
            {
                "cpu_us": {side: round(it, 1) for side, it in cpu.items()},
                "cpu_ratio": {side: round(cpu["off"] / it, 3) for side, it in cpu.items()},
                "per_s": {side: round(it) for side, it in per_s.items()},
            }
        )
    )


if __name__ == "__main__":
    main()
