"""Real vLLM with a short queue, next to no KV cache and a request that does not end: no deaths.

In a process of its own: what happens here must not reach the engine of other tests.
"""

from pathlib import Path

import pytest
from tests.engine.cpu_worker import cpu_worker_engine, told_by

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.kills]

_SCRIPT = """
import asyncio, json, multiprocessing, os, signal, sys, time
from prometheus_client import CollectorRegistry
from afterguard.contracts.words import Effort
from afterguard.delivery.retry import RetrySchedule
from afterguard.engine.create import create_judge
from afterguard.engine.settings import EngineSettings
from afterguard.flow.persistence import Persistence
from afterguard.flow.ports import JudgeRequest
from afterguard.flow.trials import Trials
from afterguard.telemetry.metrics import Metrics
from tests import samples

told = {}

def request(number):
    return JudgeRequest(f"r-{number}", samples.policy(), f"text {number}", Effort.HIGH)

async def ended(persistence, number):
    attempted = await persistence.ask(request(number), None)
    if attempted.judgement is not None:
        return attempted.judgement.status.value
    return attempted.gave_up.reason.value

async def main():
    registry, metrics = CollectorRegistry(), Metrics()
    judge = create_judge(EngineSettings.model_validate(json.loads(sys.argv[1])), registry=registry)
    await judge.start()
    retry = RetrySchedule(2, 0.05, 0.5)
    persistence = Persistence(judge, retry, metrics, Trials(metrics), time.monotonic)
    answers = await asyncio.gather(*(ended(persistence, number) for number in range(60)))
    told["answers"] = sorted(set(answers))
    busy = metrics.registry.get_sample_value("afterguard_judge_faults_total", {"result": "busy"})
    told["queue overflowed"] = busy > 0
    samples_ = [it for family in registry.collect() for it in family.samples]
    preempted = sum(it.value for it in samples_ if it.name == "vllm:num_preemptions_total")
    told["kv cache ran out"] = preempted > 0

    (core,) = [it for it in multiprocessing.active_children() if it.name.startswith("EngineCore")]
    usual, judge._settings.request_timeout_s = judge._settings.request_timeout_s, 0.3
    os.kill(core.pid, signal.SIGSTOP)
    told["does not end"] = await ended(persistence, 100)
    os.kill(core.pid, signal.SIGCONT)
    judge._settings.request_timeout_s = usual
    told["after it"] = await ended(persistence, 101)
    told["well"] = not judge.dead and await judge.healthy()
    await judge.stop()

if __name__ == "__main__":
    asyncio.run(main())
    print(json.dumps(told))
"""


@pytest.mark.timeout(600)
def test_a_full_queue_an_exhausted_cache_and_an_endless_request_are_outcomes_or_retries(
    tmp_path: Path,
) -> None:
    # The cache holds hardly more than the longest request alone: 33 blocks of 32 tokens.
    section = cpu_worker_engine(
        start_timeout_s=500,
        max_model_len=1_024,
        max_content_tokens=300,
        args={"kv_cache_memory_bytes": 34 * 32 * 1_024, "max_num_queued_reqs": 30},
    )
    told = told_by(_SCRIPT, section, tmp_path)
    assert told == {
        "answers": ["answered"],
        "queue overflowed": True,
        "kv cache ran out": True,
        "does not end": "retries_exhausted",
        "after it": "answered",
        "well": True,
    }
