"""Real vLLM, killed and frozen in the middle of its work: nothing stays unanswered.

In a process of its own: what happens here must not reach the engine of other tests.
"""

from pathlib import Path

import pytest
from tests.engine.cpu_worker import cpu_worker_engine, told_by

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.kills]

_SCRIPT = """
import asyncio, json, multiprocessing, os, signal, sys, time
from prometheus_client import CollectorRegistry, generate_latest
from afterguard.contracts.errors import EngineDead, EngineLost
from afterguard.contracts.words import Effort
from afterguard.engine.create import create_judge
from afterguard.delivery.allowance import Allowance
from afterguard.engine.restarting import RestartingJudge
from afterguard.engine.settings import EngineSettings
from afterguard.flow.ports import JudgeRequest
from afterguard.health.engine_watch import EngineWatch
from afterguard.telemetry.metrics import Metrics
from tests import samples

told = {}
lost = 0

def cores():
    return [it.pid for it in multiprocessing.active_children() if it.name.startswith("EngineCore")]

def lives(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

async def asked(judge, number):
    global lost
    while True:
        request = JudgeRequest(f"r-{number}", samples.policy(), f"text {number}", Effort.HIGH)
        try:
            return (await judge.judge(request)).status.value
        except EngineLost:
            lost += 1
        except EngineDead:
            return "dead"

async def under_load(judge, which):
    global lost
    lost = 0
    before = judge.vitals.progress
    load = [asyncio.ensure_future(asked(judge, number)) for number in range(24)]
    while judge.vitals.progress < before + 2:
        await asyncio.sleep(0.01)
    (core,) = cores()
    os.kill(core, which)
    answers = await asyncio.gather(*load)
    return {
        "answers": sorted(set(answers)),
        "some were in it": lost > 0,
        "old one lives": lives(core),
        "engines": len(cores()),
    }

async def main():
    registry = CollectorRegistry()
    settings = EngineSettings.model_validate(json.loads(sys.argv[1]))
    inner = create_judge(settings, registry=registry)
    judge = RestartingJudge(inner, Allowance(2, 600), Metrics(), proof_timeout_s=60)
    await judge.start()
    assert await asked(judge, 0) == "answered"
    # A step of a busy machine takes its time; in it nothing else shows that the engine lives.
    watch = EngineWatch(judge, limit_s=5, interval_s=0.5, revivable=judge)
    watching = asyncio.ensure_future(watch.run())
    told["killed"] = await under_load(judge, signal.SIGKILL)
    page = generate_latest(registry).decode()
    types = [line for line in page.splitlines() if line.startswith("# TYPE vllm:")]
    told["metrics once"] = bool(types) and len(types) == len(set(types))
    told["frozen"] = await under_load(judge, signal.SIGSTOP)
    told["budget used up"] = await under_load(judge, signal.SIGKILL)
    try:
        await watching
    except EngineDead:
        told["watch"] = "ends the worker"
    await judge.stop()
    told["left"] = len(cores())

if __name__ == "__main__":
    asyncio.run(main())
    print(json.dumps(told))
"""


@pytest.mark.timeout(600)
def test_a_killed_and_a_frozen_engine_are_started_again_and_every_request_is_answered(
    tmp_path: Path,
) -> None:
    section = cpu_worker_engine(probe_timeout_s=2, stop_timeout_s=5, start_timeout_s=500)
    told = told_by(_SCRIPT, section, tmp_path)
    again = {
        "answers": ["answered"],
        "some were in it": True,
        "old one lives": False,
        "engines": 1,
    }
    assert told == {
        "killed": again,
        "metrics once": True,
        "frozen": again,
        "budget used up": again | {"answers": ["dead"], "engines": 0},
        "watch": "ends the worker",
        "left": 0,
    }
