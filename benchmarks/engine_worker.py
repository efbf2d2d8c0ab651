"""The whole worker with vLLM, on the same prompts.

The clock runs from the moment the events are written into the input topic until the last of them
is settled, so reading, deciding, publishing and committing are all inside it.
"""

import asyncio
import sys
from typing import Any

import orjson
import uvloop

from afterguard.app import build
from afterguard.contracts.records import OutputRecord
from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS
from afterguard.embedded.cpu_engine import prepare_environment
from afterguard.health.settings import HttpSettings
from afterguard.lifecycle import Stop, serve
from afterguard.settings import Settings
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import KafkaSettings, TopicSettings
from afterguard.telemetry.logs import configure_logs
from afterguard.telemetry.settings import LogSettings
from benchmarks.child import Figures, StopWatch, tell
from benchmarks.prompts import POLICIES, engine_settings, pairs, warm_up_and_measured

_LOOK_S = 0.005


async def run(bootstrap_servers: str, mark: str, model: str, prompts: int) -> Figures:
    """Of verdicts."""
    settings = Settings(
        kafka=KafkaSettings(
            bootstrap_servers=bootstrap_servers,
            group_id=f"bench-{mark}",
            empty_fetch_pause_ms=EMPTY_FETCH_PAUSE_MS,
        ),
        topics=TopicSettings(
            events=f"events.{mark}",
            interventions=f"interventions.{mark}",
            audit=f"audit.{mark}",
            dead_letters=f"letters.{mark}",
        ),
        engine=engine_settings(model),
        policies=POLICIES,
        http=HttpSettings(enabled=False),
    )
    configure_logs(LogSettings(level="warning"))
    app, stop = build(settings), Stop()
    warm_up, measured = warm_up_and_measured(prompts)
    verdicts = sum(1 for _ in pairs(measured))
    found: Figures | None = None

    async def settled(count: int) -> None:
        while app.assignments.fates.settled < count:
            await asyncio.sleep(_LOOK_S)

    async def measure() -> None:
        nonlocal found
        await _write(settings, warm_up)
        await settled(len(warm_up))
        watch = StopWatch()
        await _write(settings, measured)
        await settled(len(warm_up) + len(measured))
        found = watch.figures(verdicts)
        stop.ask()

    watching = asyncio.create_task(measure())
    code = await serve(app, stop)
    watching.cancel()
    if code or found is None:
        raise SystemExit(code or 1)
    return found


async def _write(settings: Settings, events: list[dict[str, Any]]) -> None:
    producer = KafkaProducer(settings.kafka)
    await producer.start()
    sent = []
    for fields in events:
        key = fields["conversation_id"].encode()
        record = OutputRecord(settings.topics.events, key, orjson.dumps(fields))
        sent.append(await producer.send(record))
    await asyncio.gather(*sent)
    await producer.stop()


if __name__ == "__main__":
    prepare_environment()
    servers, mark, model, prompts = sys.argv[1:]
    tell(uvloop.run(run(servers, mark, model, int(prompts))))
