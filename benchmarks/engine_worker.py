"""The whole worker with vLLM, on the same prompts.

The clock runs from the moment the events are written into the input topic until the last of them
is settled, so reading, deciding, publishing and committing are all inside it.
"""

import asyncio
import sys
from typing import Any

import orjson
import uvloop

from afterguard.app import App
from afterguard.contracts.records import OutputRecord
from afterguard.embedded.broker import EMPTY_FETCH_PAUSE_MS
from afterguard.embedded.cpu_engine import prepare_environment
from afterguard.health.settings import HttpSettings
from afterguard.settings import Settings
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import KafkaSettings, TopicSettings
from benchmarks.child import Figures, StopWatch, tell
from benchmarks.prompts import POLICIES, engine_settings, pairs, warm_up_and_measured
from benchmarks.serving import served, settled


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
    warm_up, measured = warm_up_and_measured(prompts)
    verdicts = sum(1 for _ in pairs(measured))

    async def measure(app: App) -> Figures:
        await _write(settings, warm_up)
        await settled(app, len(warm_up))
        watch = StopWatch()
        await _write(settings, measured)
        await settled(app, len(warm_up) + len(measured))
        return watch.figures(verdicts)

    return await served(settings, measure)


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
