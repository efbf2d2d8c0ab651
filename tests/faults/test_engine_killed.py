"""The engine of a real worker is killed: started again in place, until its budget is used up."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Broker, MakeTopics
from tests.engine.cpu_worker import cpu_worker_engine
from tests.faults.worker_process import WorkerProcess, count, fill, until_committed, worker, written

from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.words import Effort
from afterguard.engine.process_tree import descendants

pytestmark = [pytest.mark.broker, pytest.mark.engine, pytest.mark.kills, pytest.mark.slow]

EVENTS = 300
# Loading vLLM takes a quarter of a minute on an idle machine, and minutes on a busy one.
START_S = 400.0
LONG = dict.fromkeys((it.value for it in Effort), 40)


def engine_core(process: WorkerProcess) -> int:
    """The process that holds the model."""
    for pid in descendants(process.pid):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if b"spawn_main" in command or b"EngineCore" in command:
            return pid
    raise AssertionError("no engine runs")


async def told(process: WorkerProcess, message: str, times: int = 1) -> dict[str, Any]:
    """Wait for a log line; gives its fields."""
    async with asyncio.timeout(START_S):
        while True:
            lines = [line for line in process.lines() if line.get("event") == message]
            if len(lines) >= times:
                return lines[times - 1]
            assert process.running, process.log.read_text()[-4_000:]
            await asyncio.sleep(0.2)


async def until_judged(broker: Broker, topic: str, least: int) -> None:
    async with asyncio.timeout(START_S):
        while await written(broker, topic) < least:
            await asyncio.sleep(0.1)


@pytest.mark.timeout(900)
async def test_it_is_started_again_under_load_and_ends_the_worker_when_it_dies_too_often(
    group_kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = await make_topics()
    await fill(group_kafka, topics, EVENTS)
    section = cpu_worker_engine(
        reasoning_max_tokens=LONG, restarts=1, stop_timeout_s=5, start_timeout_s=START_S
    )
    process = WorkerProcess(tmp_path, group_kafka, topics, engine=section)
    await process.start()
    try:
        await told(process, "ready")
        await until_judged(group_kafka, topics.audit, 10)
        os.kill(engine_core(process), signal.SIGKILL)
        again = await told(process, "the engine is ended and started again")
        assert again["cause"] == "died"
        judged = await written(group_kafka, topics.audit)
        assert judged < EVENTS * 9 // 10, "killed under load"
        await told(process, "the engine runs again")
        await until_judged(group_kafka, topics.audit, judged + 10)
        os.kill(engine_core(process), signal.SIGKILL)
        assert await process.ended(START_S) == ExitCode.ENGINE_DIED
        assert await written(group_kafka, topics.audit) < EVENTS * 9 // 10, "killed under load"
    finally:
        if process.running:
            await process.kill()

    # What it had is judged by the next; nothing was settled without a verdict.
    async with worker(tmp_path / "next", group_kafka, topics) as successor:
        offsets = await until_committed(group_kafka, topics, successor.group_id, EVENTS)
    found, _ = await count(group_kafka, topics)
    assert sum(offsets.values()) == EVENTS
    assert found.lost == []
    assert {it.outcome for it in found.audit} <= {"violation", "no_violation", "uncertain"}
    assert {it.reason for it in found.letters} == {"not_json"}
