"""An event that kills each worker that judges it is given up; all others are judged."""

import asyncio
import signal
from pathlib import Path

import pytest
from tests.conftest import Broker, MakeTopics
from tests.faults.poisonable_worker import POISON
from tests.faults.worker_process import WorkerProcess, count
from tests.kafka_worker import event, produce
from tests.onlooker import committed

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.kills, pytest.mark.slow]

EVENTS = 60
POISONOUS = 25
QUARANTINE_AFTER = 3


class PoisonableWorker(WorkerProcess):
    """Runs with an engine that ends its process at a marker."""

    module = "tests.faults.poisonable_worker"


async def judged_to_the_end(broker: Broker, worker: WorkerProcess, topic: str) -> bool:
    """One life: whether it came to the end of the topic before it was killed."""
    await worker.start()
    async with asyncio.timeout(120):
        while worker.running:
            offsets = await committed(broker.bootstrap_servers, worker.group_id, topic)
            if sum(offsets.values()) == EVENTS:
                return True
            await asyncio.sleep(0.2)
    assert await worker.ended() == -signal.SIGKILL, worker.log.read_text()[-4_000:]
    return False


async def test_after_three_deaths_it_is_quarantined_and_the_rest_is_judged(
    group_kafka: Broker, make_topics: MakeTopics, redis_url: str, tmp_path: Path
) -> None:
    topics = await make_topics()
    contents = [POISON if it == POISONOUS else f"harmless {it}" for it in range(EVENTS)]
    where = await produce(
        group_kafka, topics.events, [event(it, content=text) for it, text in enumerate(contents)]
    )
    worker = PoisonableWorker(
        tmp_path,
        group_kafka,
        topics,
        redis={"url": redis_url, "key_prefix": topics.events, "timeout_s": 5},
        judging={"quarantine_after": QUARANTINE_AFTER},
    )

    deaths = 0
    while not await judged_to_the_end(group_kafka, worker, topics.events):
        deaths += 1
        assert deaths <= QUARANTINE_AFTER
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0

    found, _ = await count(group_kafka, topics)
    assert deaths == QUARANTINE_AFTER
    assert found.lost == []
    (verdict,) = found.verdicts_on(where[POISONOUS])
    assert (verdict.outcome, verdict.reason) == ("failed", "quarantined")
    (letter,) = found.letters
    assert (letter.offset, letter.reason) == (where[POISONOUS].offset, "quarantined")
    assert letter.attempts == QUARANTINE_AFTER
    others = {it.outcome for it in found.audit if it.offset != where[POISONOUS].offset}
    assert others == {"no_violation"}
