"""A whole worker whose engine dies under it: started again, given up, or poisoned by an event."""

import asyncio
from functools import partial
from typing import Any

import aiohttp
import orjson
import pytest
from tests.engine.killable import KillableJudge
from tests.memory_worker import MemoryWorker, until

from afterguard.contracts.exit_codes import ExitCode


class Holding:
    """All contents that hold a word."""

    def __init__(self, word: str) -> None:
        self._word = word

    def __contains__(self, content: object) -> bool:
        return self._word in str(content)


def worker_with(killable: KillableJudge, **sections: Any) -> MemoryWorker:
    return MemoryWorker(killable, intake={"max_concurrent_events": 8}, **sections)


def _has_judged(worker: MemoryWorker, count: int) -> bool:
    return len(worker.audit) >= count


def restarts(worker: MemoryWorker, cause: str = "died") -> float:
    registry = worker.app.metrics.registry
    return registry.get_sample_value("afterguard_engine_restarts_total", {"cause": cause}) or 0


async def test_every_event_is_judged_once_although_the_engine_dies_under_it() -> None:
    engine = KillableJudge(turns=lambda _: 5)
    worker = worker_with(engine)
    for number in range(40):
        worker.send(number)
    serving = worker.serve()
    for share in (5, 15, 25):
        await until(partial(_has_judged, worker, share))
        engine.die()
    await until(lambda: len(worker.audit) == 40)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert sorted(worker.judged) == sorted(f"e-{number}" for number in range(40))
    assert worker.committed == 40
    assert engine.starts == 1 + restarts(worker)
    assert worker.app.budget.statistics()[0:3:2] == (0, 0)


@pytest.mark.usefixtures("expected_errors")
async def test_a_poison_event_is_quarantined_with_its_attempts_and_all_others_are_judged() -> None:
    engine = KillableJudge(Holding("poison"), turns=lambda _: 3)
    worker = worker_with(engine)
    for number in range(30):
        worker.send(number, content="poison" if number == 11 else "harmless")
    serving = worker.serve()
    await until(lambda: worker.committed == 30)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    by_id = {
        record["event_id"]: record for it in worker.audit if (record := orjson.loads(it.value))
    }
    poisoned = by_id.pop("e-11")
    assert (poisoned["outcome"], poisoned["reason"]) == ("failed", "quarantined")
    assert {it["outcome"] for it in by_id.values()} == {"no_violation"}
    (letter,) = [
        orjson.loads(it.value or b"") for it in worker.log.records(worker.topics.dead_letters)
    ]
    assert (letter["reason"], letter["attempts"]) == ("quarantined", 3)
    assert engine.deaths == 3


@pytest.mark.usefixtures("expected_errors")
async def test_when_the_budget_is_used_up_the_worker_ends_with_what_it_had_unsettled() -> None:
    engine = KillableJudge(turns=lambda _: 50)
    worker = worker_with(engine, engine={"restarts": 1})
    for number in range(200):
        worker.send(number)
    serving = worker.serve()
    await until(lambda: len(worker.audit) >= 8)
    engine.die()
    await until(lambda: len(worker.audit) >= 40)
    engine.die()
    assert await asyncio.wait_for(serving, 20) is ExitCode.ENGINE_DIED
    assert worker.committed <= len(worker.audit) < 200
    assert worker.app.assignments.fates.balanced
    assert worker.app.assignments.fates.in_flight == 0


async def test_it_is_live_and_not_ready_while_the_engine_is_started_again() -> None:
    go_on = asyncio.Event()

    engine = KillableJudge(again=go_on)
    worker = worker_with(engine, http={"enabled": True, "port": 0})
    begun = asyncio.Event()
    serving = worker.serve(ready=begun.set)
    await begun.wait()
    assert worker.app.http is not None
    address = f"http://127.0.0.1:{worker.app.http.port}"

    async def status(path: str) -> int:
        async with aiohttp.ClientSession() as http, http.get(address + path) as answer:
            return answer.status

    assert await status("/readyz") == 200
    engine.die()
    worker.send(1)
    await asyncio.sleep(0.01)
    assert (await status("/readyz"), await status("/livez")) == (503, 200)
    assert worker.judged == []
    go_on.set()
    await until(lambda: worker.committed == 1)
    async with asyncio.timeout(20):
        while await status("/readyz") != 200:
            await asyncio.sleep(0.05)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED


async def test_an_event_whose_deadline_passes_during_a_restart_is_expired() -> None:
    go_on = asyncio.Event()

    engine = KillableJudge(Holding("kills once"), again=go_on)
    worker = worker_with(engine, judging={"deadline_s": {"standard": 0.2}})
    serving = worker.serve()
    await until(lambda: worker.app.started)
    engine.die()
    worker.send(1)
    await until(lambda: worker.committed == 1)
    assert orjson.loads(worker.audit[0].value)["outcome"] == "expired"
    go_on.set()
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED


async def test_draining_does_not_wait_for_an_engine_that_does_not_come_back() -> None:
    engine = KillableJudge(again=asyncio.Event())
    worker = worker_with(engine, delivery={"drain_timeout_s": 0.05})
    serving = worker.serve()
    await until(lambda: worker.app.started)
    engine.die()
    worker.send(1)
    await until(worker.app.assignments.in_flight)
    worker.stop.ask()
    assert await asyncio.wait_for(serving, 20) is ExitCode.DRAINED
    assert (worker.judged, worker.committed) == ([], 0)
