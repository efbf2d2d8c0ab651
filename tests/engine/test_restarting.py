"""Restarting in place: nothing is answered twice, nothing is left waiting, the budget holds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tests.engine.killable import ANSWER, KillableJudge, request

from afterguard.contracts.errors import EngineDead, EngineLost
from afterguard.delivery.allowance import Allowance
from afterguard.engine.restarting import RestartingJudge
from afterguard.flow.deadlines import Deadlines
from afterguard.health.engine_watch import EngineWatch
from afterguard.telemetry.metrics import Metrics


@asynccontextmanager
async def restarting(
    engine: KillableJudge, *, restarts: int = 3, proof_timeout_s: float = 10
) -> AsyncIterator[RestartingJudge]:
    """A started judge that is stopped at the end."""
    budget = Allowance(restarts, 600)
    judge = RestartingJudge(engine, budget, Metrics(), proof_timeout_s=proof_timeout_s)
    await judge.start()
    try:
        yield judge
    finally:
        await judge.stop()


async def until(happened: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not happened():
            await asyncio.sleep(0)


async def lost(asked: Awaitable[object]) -> bool:
    try:
        await asked
    except EngineLost:
        return True
    return False


async def test_a_death_hands_back_all_that_was_in_it_and_the_next_life_answers() -> None:
    engine = KillableJudge({"kills"}, turns=lambda it: 3 if it == "kills" else 50)
    async with restarting(engine) as judge:
        asked = [judge.judge(request(it, n)) for n, it in enumerate(["kills", "a", "b", "c"])]
        assert await asyncio.gather(*map(lost, asked)) == [True] * 4
        assert await judge.judge(request("a")) == ANSWER
        assert (engine.starts, engine.deaths) == (2, 1)


async def test_what_is_asked_while_it_starts_again_waits_for_it() -> None:
    async with restarting(KillableJudge({"kills"})) as judge:
        assert await lost(judge.judge(request("kills")))
        assert not judge.vitals.running
        assert not await judge.healthy()
        assert await judge.judge(request("waits")) == ANSWER
        assert judge.vitals.running


async def test_deadlines_go_on_while_it_starts_again() -> None:
    go_on = asyncio.Event()

    now = 0.0
    async with restarting(KillableJudge({"kills"}, again=go_on)) as judge:
        assert await lost(judge.judge(request("kills")))
        deadlines = Deadlines(lambda: now, interval_s=0.001)
        waiting = asyncio.ensure_future(deadlines.within(5.0, judge.judge(request("waits"))))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        now = 6.0
        assert await waiting is None
        go_on.set()
        assert await judge.judge(request("a")) == ANSWER


async def test_a_deadline_and_a_death_at_the_same_moment_are_a_deadline() -> None:
    engine = KillableJudge()
    async with restarting(engine) as judge:
        await judge.judge(request("a"))
        engine.freeze()
        now = 0.0
        deadlines = Deadlines(lambda: now, interval_s=0.001)
        asked = asyncio.ensure_future(deadlines.within(5.0, judge.judge(request("b"))))
        await asyncio.sleep(0.005)
        now = 6.0
        await judge.restart(EngineDead("hangs"))
        async with asyncio.timeout(10):
            assert await lost(asked) or asked.result() is None
        assert await judge.judge(request("c")) == ANSWER


async def test_a_frozen_engine_is_killed_and_what_was_in_it_is_handed_back() -> None:
    engine = KillableJudge(turns=lambda _: 10)
    async with restarting(engine) as judge:
        asked = [asyncio.ensure_future(lost(judge.judge(request("a", n)))) for n in range(5)]
        await until(lambda: judge.vitals.in_flight == 5)
        engine.freeze()
        await judge.restart(EngineDead("hangs"))
        assert await asyncio.gather(*asked) == [True] * 5
        assert await judge.judge(request("a")) == ANSWER


async def test_deaths_at_the_same_time_are_one_restart() -> None:
    engine = KillableJudge({"kills"})
    async with restarting(engine) as judge:
        await asyncio.gather(
            *(lost(judge.judge(request("kills", n))) for n in range(8)),
            *(judge.restart(EngineDead("gone")) for _ in range(3)),
        )
        assert engine.starts == 2


async def test_beyond_the_budget_everything_that_waits_is_told_that_it_is_dead() -> None:
    engine = KillableJudge({"kills"})
    async with restarting(engine, restarts=1) as judge:
        assert await lost(judge.judge(request("kills")))
        assert await judge.judge(request("a")) == ANSWER
        assert await lost(judge.judge(request("kills")))
        for _ in range(2):
            with pytest.raises(EngineDead, match=r"engine\.restarts"):
                await judge.judge(request("a"))
        with pytest.raises(EngineDead):
            await judge.restart(EngineDead("again"))
        assert not judge.vitals.running


async def test_what_is_explained_costs_no_budget() -> None:
    engine = KillableJudge({"kills"})
    async with restarting(engine, restarts=1) as judge:
        for _ in range(5):
            assert await lost(judge.judge(request("kills")))
            judge.explained(1)
        assert await judge.judge(request("a")) == ANSWER


def test_the_budget_is_full_again_when_its_window_has_passed() -> None:
    budget = Allowance(2, 10)
    assert [budget.spend(0.0) for _ in range(3)] == [True, True, False]
    assert budget.spend(10.0)


async def test_a_new_engine_that_cannot_answer_what_was_answered_before_does_not_run() -> None:
    killers: set[str] = {"kills"}
    async with restarting(KillableJudge(killers), restarts=2) as judge:
        assert await judge.judge(request("harmless")) == ANSWER
        killers.add("harmless")
        assert await lost(judge.judge(request("kills")))
        with pytest.raises(EngineDead):
            await judge.judge(request("innocent"))


async def test_an_engine_that_does_not_start_again_is_tried_as_often_as_the_budget_allows() -> None:
    engine = KillableJudge({"kills"})
    async with restarting(engine, restarts=2) as judge:
        engine.refuses_to_start = True
        assert await lost(judge.judge(request("kills")))
        with pytest.raises(EngineDead):
            await judge.judge(request("a"))
        assert engine.starts == 1


async def test_stopping_in_the_middle_of_a_restart_ends_it() -> None:
    async with restarting(KillableJudge({"kills"}, again=asyncio.Event())) as judge:
        assert await lost(judge.judge(request("kills")))
        waiting = asyncio.ensure_future(judge.judge(request("a")))
        await asyncio.sleep(0)
        await judge.stop()
        with pytest.raises(EngineDead):
            await waiting


async def watched(judge: RestartingJudge, limit_s: float = 0.05) -> "asyncio.Task[None]":
    watch = EngineWatch(judge, limit_s=limit_s, interval_s=0.005, revivable=judge)
    return asyncio.ensure_future(watch.run())


async def test_the_watch_starts_an_idle_engine_again_that_died() -> None:
    engine = KillableJudge()
    async with restarting(engine) as judge:
        watch = await watched(judge, limit_s=60)
        engine.die()
        await until(lambda: engine.starts == 2)
        watch.cancel()


@pytest.mark.parametrize("busy", [True, False])
async def test_the_watch_ends_an_engine_that_gives_no_sign_of_life(busy: bool) -> None:
    engine = KillableJudge(freezers={"freezes"})
    async with restarting(engine) as judge:
        watch = await watched(judge)
        if busy:
            assert await lost(judge.judge(request("freezes")))
        else:
            engine.freeze()
        await until(lambda: engine.starts == 2)
        watch.cancel()


async def test_an_engine_that_answers_probes_and_makes_no_step_hangs_all_the_same() -> None:
    class Blind(KillableJudge):
        async def healthy(self) -> bool:
            return True

    engine = Blind(freezers={"freezes"})
    async with restarting(engine) as judge:
        watch = await watched(judge)
        assert await lost(judge.judge(request("freezes")))
        watch.cancel()


async def test_an_engine_that_is_slow_and_makes_steps_does_not_hang() -> None:
    class Deaf(KillableJudge):
        async def healthy(self) -> bool:
            return False

    engine = Deaf(turns=lambda _: 10_000)
    async with restarting(engine) as judge:
        watch = await watched(judge, limit_s=0.05)
        began = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() < began + 0.2:
            assert await judge.judge(request("a")) == ANSWER
        assert engine.starts == 1
        watch.cancel()


async def test_the_watch_ends_the_worker_when_the_budget_is_used_up() -> None:
    engine = KillableJudge()
    async with restarting(engine, restarts=0) as judge:
        watch = await watched(judge)
        engine.freeze()
        with pytest.raises(EngineDead, match=r"no sign of life.*engine\.restarts"):
            await watch
