"""Spending: tokens and busy seconds are counted once, by effort and look, whatever comes of it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.judges import HeldJudge, ScriptedJudge
from tests.samples import answered, policy

from afterguard.contracts.errors import EngineFault
from afterguard.contracts.words import Effort
from afterguard.delivery.compute_budget import Compute, ComputeBudget
from afterguard.flow.ports import JudgeRequest
from afterguard.flow.spending import BusyTime, Spending
from afterguard.telemetry.metrics import Metrics

ANSWER = answered(False)._replace(prompt_tokens=100, cached_prompt_tokens=80, output_tokens=7)


def asked(name: str = "r", effort: Effort = Effort.LOW, **changes: Any) -> JudgeRequest:
    return JudgeRequest(name, policy(), "text", effort, **changes)


class Bench:
    """A spending with its engine, its clock and what it counts."""

    def __init__(self, judge: ScriptedJudge) -> None:
        self.now = 10.0
        self.judge, self.metrics, self.budget = judge, Metrics(), ComputeBudget()
        self.spending = Spending(judge, self.metrics, budget=self.budget, clock=lambda: self.now)

    def counted(self, name: str, effort: str = "low", stage: str = "first", **labels: str) -> float:
        labels |= {"effort": effort, "stage": stage}
        return (
            self.metrics.registry.get_sample_value(f"afterguard_judging_{name}_total", labels) or 0
        )

    def tokens(self, **labels: str) -> list[float]:
        return [self.counted("tokens", kind=it, **labels) for it in ("prompt", "cached", "output")]


async def test_tokens_are_counted_by_effort_and_look_and_by_where_they_came_from() -> None:
    bench = Bench(ScriptedJudge(ANSWER))
    await bench.spending.judge(asked())
    await bench.spending.judge(asked(effort=Effort.HIGH, second=True))
    await bench.spending.judge(asked(effort=Effort.HIGH, second=True))
    assert bench.tokens() == [20, 80, 7]
    assert bench.tokens(effort="high", stage="second") == [40, 160, 14]
    assert bench.tokens(effort="high") == [0, 0, 0]


async def test_the_budget_bears_what_was_read_anew_or_written() -> None:
    bench = Bench(ScriptedJudge(ANSWER))
    await bench.spending.judge(asked())
    assert bench.budget.last_hour(bench.now) == Compute(27, 0.0)


async def test_the_answer_goes_through_unchanged_and_so_does_the_request() -> None:
    bench = Bench(ScriptedJudge(ANSWER))
    assert await bench.spending.judge(asked()) is ANSWER
    assert bench.judge.requests == [asked()]
    assert (bench.spending.engine, bench.spending.model) == ("scripted", "scripted-1")


async def test_requests_side_by_side_share_the_time_that_the_engine_was_busy() -> None:
    bench = Bench(judge := HeldJudge(ANSWER))
    one = asyncio.create_task(bench.spending.judge(asked("one")))
    await asyncio.sleep(0)
    bench.now += 4.0
    other = asyncio.create_task(bench.spending.judge(asked("other", Effort.HIGH)))
    await asyncio.sleep(0)
    bench.now += 2.0
    judge.let("one")
    await one
    bench.now += 1.0
    judge.let("other")
    await other
    bench.now += 100.0
    assert bench.counted("engine_seconds") == 5.0
    assert bench.counted("engine_seconds", "high") == 2.0
    assert bench.budget.last_hour(bench.now).engine_seconds == 7.0


async def test_a_request_that_failed_has_cost_its_seconds() -> None:
    bench = Bench(judge := HeldJudge(EngineFault("odd")))
    task = asyncio.create_task(bench.spending.judge(asked()))
    await asyncio.sleep(0)
    bench.now += 3.0
    judge.let("r")
    with pytest.raises(EngineFault):
        await task
    assert (bench.counted("engine_seconds"), bench.tokens()) == (3.0, [0, 0, 0])


async def test_a_request_that_was_ended_has_cost_its_seconds() -> None:
    bench = Bench(HeldJudge(ANSWER))
    task = asyncio.create_task(bench.spending.judge(asked()))
    await asyncio.sleep(0)
    bench.now += 3.0
    task.cancel()
    await asyncio.wait({task})
    assert bench.budget.last_hour(bench.now) == Compute(0, 3.0)


lives = st.lists(st.tuples(st.floats(0, 50), st.floats(0, 20)), max_size=30)


@given(lives)
def test_whoever_comes_and_goes_the_parts_add_up_to_the_busy_time(
    drawn: list[tuple[float, float]],
) -> None:
    now = 0.0
    busy = BusyTime(lambda: now)
    moments = sorted(
        (when, number, kind)
        for number, (begins, lasts) in enumerate(drawn)
        for kind, when in ((0, begins), (1, begins + lasts))
    )
    entered: dict[int, float] = {}
    parts, inside, went_by, before = 0.0, 0, 0.0, 0.0
    for when, number, kind in moments:
        went_by += (when - before) if inside else 0.0
        before = now = when
        if kind == 0:
            entered[number], inside = busy.enter(), inside + 1
        else:
            part = busy.leave(entered.pop(number))
            assert -1e-9 <= part <= drawn[number][1] + 1e-6
            parts, inside = parts + part, inside - 1
    assert parts == pytest.approx(went_by, abs=1e-6)
