"""The whole worker with the null engine, as a process of its own."""

import asyncio
import sys
from pathlib import Path

import uvloop

from afterguard.app import build
from afterguard.engine.settings import EngineSettings
from afterguard.health.settings import HttpSettings
from afterguard.lifecycle import Stop, serve
from afterguard.policy.settings import PolicySettings
from afterguard.settings import Settings
from afterguard.stream.settings import KafkaSettings, TopicSettings
from afterguard.telemetry.logs import configure_logs
from afterguard.telemetry.settings import LogSettings
from benchmarks.child import Figures, StopWatch, tell

_LOOK_S = 0.005


async def run(
    bootstrap_servers: str, topics: TopicSettings, group: str, events: int, policies: Path
) -> Figures:
    """From the first record taken to the last one settled."""
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=bootstrap_servers, group_id=group),
        topics=topics,
        engine=EngineSettings(kind="null"),
        http=HttpSettings(port=0),
        policies=PolicySettings(directory=policies),
    )
    configure_logs(LogSettings(level="warning"))
    app, stop = build(settings), Stop()
    found: Figures | None = None

    async def measure() -> None:
        nonlocal found
        while not app.assignments.fates.admitted:
            await asyncio.sleep(_LOOK_S)
        watch = StopWatch()
        while app.assignments.fates.settled < events:
            await asyncio.sleep(_LOOK_S)
        found = watch.figures(events)
        stop.ask()

    watching = asyncio.create_task(measure())
    code = await serve(app, stop)
    watching.cancel()
    if code or found is None:
        raise SystemExit(code or 1)
    return found


if __name__ == "__main__":
    servers, source, audit, interventions, letters, group, count, folder = sys.argv[1:]
    names = TopicSettings(
        events=source, audit=audit, interventions=interventions, dead_letters=letters
    )
    tell(uvloop.run(run(servers, names, group, int(count), Path(folder))))
