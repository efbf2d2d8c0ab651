"""The whole worker with the null engine, as a process of its own."""

import asyncio
import sys
from pathlib import Path

import uvloop

from afterguard.app import App
from afterguard.engine.settings import EngineSettings
from afterguard.health.settings import HttpSettings
from afterguard.policy.settings import PolicySettings
from afterguard.settings import Settings
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.child import Figures, StopWatch, tell
from benchmarks.serving import served, settled

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

    async def measure(app: App) -> Figures:
        while not (app.assignments.in_flight() or app.assignments.settled):
            await asyncio.sleep(_LOOK_S)
        watch = StopWatch()
        await settled(app, events)
        return watch.figures(events)

    return await served(settings, measure)


if __name__ == "__main__":
    servers, source, audit, interventions, letters, group, count, folder = sys.argv[1:]
    names = TopicSettings(
        events=source, audit=audit, interventions=interventions, dead_letters=letters
    )
    tell(uvloop.run(run(servers, names, group, int(count), Path(folder))))
