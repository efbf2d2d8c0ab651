"""Poison: whatever kills the engine is found, and nothing else pays for it."""

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.killable import KillableJudge, request

from afterguard.contracts.errors import EngineDead
from afterguard.contracts.words import Reason
from afterguard.delivery.allowance import Allowance
from afterguard.delivery.retry import RetrySchedule
from afterguard.engine.restarting import RestartingJudge
from afterguard.flow.persistence import Attempted, Persistence
from afterguard.flow.ports import JudgeRequest
from afterguard.flow.trials import Trials
from afterguard.telemetry.metrics import Metrics

CROWD = 16
RETRY = RetrySchedule(attempts=3, base_s=0.001, cap_s=0.001)


class KeptAttempts:
    """Counts in memory that outlive a worker, as those in Redis do."""

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}

    async def deaths(self, asked: JudgeRequest) -> int:
        await asyncio.sleep(0)
        return self.kept.get(asked.request_id, 0)

    async def charge(self, asked: JudgeRequest, deaths: int) -> None:
        self.remember(asked, deaths)
        await asyncio.sleep(0)

    def remember(self, asked: JudgeRequest, deaths: int) -> None:
        self.kept[asked.request_id] = deaths
        if not deaths:
            del self.kept[asked.request_id]


@dataclass
class Worker:
    """One life of a worker: so many requests at its engine at once, as Dispatch has it."""

    engine: KillableJudge
    quarantine_after: int = 3
    restarts: int = 3
    attempts: KeptAttempts | None = None
    metrics: Metrics = field(default_factory=Metrics)

    async def judge(self, contents: list[str]) -> list[Attempted]:
        """What becomes of each content."""
        budget = Allowance(self.restarts, 600)
        judge = RestartingJudge(
            self.engine,
            budget,
            self.metrics,
            proof_timeout_s=10,
            told=lambda running: trials.engine_runs(running),  # noqa: PLW0108 (made below)
        )
        trials = Trials(
            self.metrics,
            crowd=CROWD,
            quarantine_after=self.quarantine_after,
            attempts=self.attempts,
            explained=judge.explained,
        )
        persistence = Persistence(judge, RETRY, self.metrics, trials, lambda: 0.0)
        room = asyncio.Semaphore(CROWD)

        async def one(number: int, content: str) -> Attempted:
            async with room:
                return await persistence.ask(request(content, number), None)

        await judge.start()
        try:
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(*it)) for it in enumerate(contents)]
            return [task.result() for task in tasks]
        finally:
            await judge.stop()


def condemned(ended: list[Attempted]) -> set[int]:
    return {
        number
        for number, it in enumerate(ended)
        if it.gave_up is not None and it.gave_up.reason is Reason.QUARANTINED
    }


@pytest.mark.usefixtures("expected_errors")
@settings(max_examples=150)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=1, max_size=40),
    st.integers(2, 5),
    st.booleans(),
)
def test_whatever_the_killers_are_they_are_quarantined_and_all_others_are_judged(
    events: list[tuple[bool, int]], quarantine_after: int, redis: bool
) -> None:
    contents = [f"{number}-{turns}" for number, (_, turns) in enumerate(events)]
    killers = {number for number, (kills, _) in enumerate(events) if kills}
    engine = KillableJudge(
        {contents[it] for it in killers}, turns=lambda it: int(it.rpartition("-")[2])
    )
    attempts = KeptAttempts() if redis else None
    # As many restarts as it takes to condemn one, whatever the number of killers.
    worker = Worker(engine, quarantine_after, quarantine_after, attempts)
    ended = asyncio.run(worker.judge(contents))
    assert condemned(ended) == killers
    assert all(ended[it].judgement for it in range(len(ended)) if it not in killers)
    assert engine.deaths <= quarantine_after * len(killers)


@pytest.mark.usefixtures("expected_errors")
async def test_the_last_time_a_killer_kills_it_is_alone() -> None:
    engine = KillableJudge({"k"}, turns=lambda it: 8 if it == "k" else 20)
    ended = await Worker(engine).judge(["a"] * 10 + ["k"] + ["b"] * 10)
    assert condemned(ended) == {10}
    assert engine.most_beside_a_killer[-1] == 1
    assert ended[10].attempts == 3


@pytest.mark.usefixtures("expected_errors")
@settings(max_examples=60)
@given(st.lists(st.booleans(), min_size=1, max_size=24))
def test_a_killer_of_workers_is_quarantined_by_a_later_life(events: list[bool]) -> None:
    kept = KeptAttempts()
    killers = {number for number, kills in enumerate(events) if kills}
    contents = [f"k{number}" if kills else "a" for number, kills in enumerate(events)]
    ended: list[Attempted] = []
    deaths = 0
    while not ended:
        engine = KillableJudge({it for it in contents if it[0] == "k"}, turns=lambda _: 3)
        # With no restart in place, each death of the engine is one of the worker.
        try:
            ended = asyncio.run(Worker(engine, restarts=0, attempts=kept).judge(contents))
        except* EngineDead:
            deaths += 1
            assert deaths <= 3 * len(killers)
    assert condemned(ended) == killers
    assert all(ended[it].judgement for it in range(len(ended)) if it not in killers)


async def test_what_is_given_back_in_order_is_not_suspected_for_it() -> None:
    kept = KeptAttempts()
    engine = KillableJudge(turns=lambda _: 10**9)
    working = asyncio.ensure_future(Worker(engine, attempts=kept).judge(["a", "b"]))
    while len(kept.kept) < 2:
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert kept.kept == {}


async def test_what_was_judged_is_not_suspected_any_more() -> None:
    kept = KeptAttempts()
    kept.kept[request("a", 0).request_id] = 2
    (ended,) = await Worker(KillableJudge(), attempts=kept).judge(["a"])
    assert ended.judgement is not None
    assert ended.attempts == 3
    assert kept.kept == {}


@pytest.mark.usefixtures("expected_errors")
async def test_one_with_enough_deaths_in_earlier_lives_does_not_reach_the_engine() -> None:
    kept = KeptAttempts()
    kept.kept[request("a", 0).request_id] = 3
    engine = KillableJudge({"a"})
    (ended,) = await Worker(engine, attempts=kept).judge(["a"])
    assert condemned([ended]) == {0}
    assert (ended.attempts, engine.deaths) == (3, 0)
    # Should its dead letter be lost, the next life does not try again.
    assert kept.kept == {request("a", 0).request_id: 3}
