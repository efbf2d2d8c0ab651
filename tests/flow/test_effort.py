"""Effort: what the compute budget takes from each lane, in which order, and what it leaves."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tests.flow.judges import ScriptedJudge
from tests.flow.looks import CLEAN, CLOSE, LOOK, THREAT, Bench
from tests.flow.steps import Stands
from tests.flow.stores import DictCache
from tests.samples import admission, input_record, policy

from afterguard.contracts.words import Degraded, Effort, Lane, Outcome, Reason
from afterguard.delivery.compute_budget import Compute, ComputeBudget
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.effort import BudgetSteps, Step
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.flow.second_look import Doubt, Result
from afterguard.flow.spending import Spending
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics

REDUCED = (Degraded.EFFORT_REDUCED,)


@pytest.mark.parametrize(
    ("step", "effort", "asked", "degraded"),
    [
        (Step.FULL, "medium", ["medium", "high"], ()),
        (Step.NO_SECOND_LOOK, "medium", ["medium"], REDUCED),
        (Step.LOW_EFFORT, "medium", ["low"], REDUCED),
        (Step.FULL, "low", ["low", "high"], ()),
        (Step.LOW_EFFORT, "low", ["low"], REDUCED),
    ],
)
async def test_a_smaller_budget_takes_the_second_look_and_then_the_effort(
    step: Step, effort: str, asked: list[str], degraded: tuple[Degraded, ...]
) -> None:
    bench = Bench(CLOSE, THREAT, step=step)
    finding = await bench.finding(LOOK.model_copy(update={"effort": Effort(effort)}))
    assert (bench.efforts, finding.degraded) == (asked, degraded)
    assert bench.looks(Doubt.BAND, Result.WITHHELD) == (step is not Step.FULL)


async def test_a_small_budget_marks_only_what_it_took_something_from() -> None:
    bench = Bench(CLEAN, CLEAN, CLEAN, step=Step.LOW_EFFORT)
    assert (await bench.finding()).degraded == ()
    assert (await bench.finding(policy())).degraded == ()
    assert (await bench.finding(policy(effort="high"))).degraded == REDUCED


async def test_a_second_look_makes_good_for_a_first_one_of_little_effort() -> None:
    steps = Stands(Step.LOW_EFFORT)

    def recovers(asked: JudgeRequest) -> Judgement:
        steps.at = Step.FULL
        return THREAT if asked.second else CLOSE

    judge = ScriptedJudge(recovers)
    asking = Asking(judge, RetrySchedule(attempts=1, base_s=1, cap_s=1), Metrics(), steps=steps)
    under = LOOK.model_copy(update={"effort": Effort.MEDIUM})
    finding = await asking.ask(admission(), under, "text")
    assert (finding.stages, finding.effort, finding.degraded) == (("low", "high"), Effort.HIGH, ())


async def test_what_was_judged_under_a_small_budget_is_repeated_under_a_small_one_alone() -> None:
    bench = Bench(CLOSE, CLOSE, THREAT, step=Step.LOW_EFFORT, cache=DictCache())
    assert (await bench.finding()).degraded == (Degraded.EFFORT_REDUCED,)
    small = await bench.finding(record=input_record(offset=1))
    assert (small.stages, small.degraded) == (("cache",), (Degraded.EFFORT_REDUCED,))
    bench.steps.at = Step.FULL
    full = await bench.finding(record=input_record(offset=2))
    assert (full.stages, full.effort, full.degraded) == (("low", "high"), Effort.HIGH, ())


async def test_a_shed_event_is_expired_with_a_reason_and_asks_nobody() -> None:
    bench = Bench(step=Step.SHED)
    finding = await bench.finding(received=0.0)
    assert (finding.reading.outcome, finding.reading.reason) == (
        Outcome.EXPIRED,
        Reason.SHED_COMPUTE_BUDGET,
    )
    assert (finding.stages, finding.attempts, finding.effort) == ((), 0, None)
    labels = {"reason": "shed_compute_budget", "lane": "standard"}
    assert bench.metrics.registry.get_sample_value("afterguard_unasked_events_total", labels) == 1


async def test_what_is_known_already_costs_nothing_and_is_not_shed() -> None:
    bench = Bench(CLEAN, cache=DictCache())
    await bench.finding()
    bench.steps.at = Step.SHED
    again = await bench.finding(record=input_record(offset=1))
    assert (again.reading.outcome, again.stages) == (Outcome.NO_VIOLATION, ("cache",))


ORDER = [
    ("backfill", "NO_SECOND_LOOK"),
    ("backfill", "LOW_EFFORT"),
    ("standard", "NO_SECOND_LOOK"),
    ("standard", "LOW_EFFORT"),
    ("live", "NO_SECOND_LOOK"),
    ("live", "LOW_EFFORT"),
    ("backfill", "SHED"),
    ("standard", "SHED"),
]


def changes(steps: BudgetSteps, budget: ComputeBudget, most: int) -> Iterator[tuple[str, str]]:
    """What changes, in order, while the budget is spent token by token."""
    before = {lane: steps.step(lane) for lane in Lane}
    for _ in range(most):
        budget.spend(Compute(1), 1.0)
        for lane in Lane:
            if (now := steps.step(lane)) is not before[lane]:
                before[lane] = now
                yield lane.value, now.name


@pytest.mark.parametrize(
    ("shed_live", "order"), [(False, ORDER), (True, [*ORDER, ("live", "SHED")])]
)
def test_the_lanes_step_down_in_order_and_shed_last(
    shed_live: bool,
    order: list[tuple[str, str]],
) -> None:
    budget = ComputeBudget(tokens_per_hour=1_000)
    steps = BudgetSteps(budget, begins=0.5, shed_live=shed_live, clock=lambda: 1.0)
    assert list(changes(steps, budget, 1_500)) == order


@given(
    st.lists(st.tuples(st.floats(0, 900), st.integers(0, 400)), min_size=1, max_size=30),
    st.booleans(),
)
def test_a_more_urgent_lane_never_gets_less_and_the_same_past_gives_the_same_steps(
    spent: list[tuple[float, int]],
    shed_live: bool,
) -> None:
    now = 0.0

    def made() -> tuple[ComputeBudget, BudgetSteps]:
        budget = ComputeBudget(tokens_per_hour=1_000)
        return budget, BudgetSteps(budget, begins=0.5, shed_live=shed_live, clock=lambda: now)

    (one, first), (other, second) = made(), made()
    for pause, tokens in spent:
        now += pause
        one.spend(Compute(tokens), now)
        other.spend(Compute(tokens), now)
        stands = [first.step(lane) for lane in (Lane.LIVE, Lane.STANDARD, Lane.BACKFILL)]
        assert stands == sorted(stands)
        assert stands == [second.step(it) for it in (Lane.LIVE, Lane.STANDARD, Lane.BACKFILL)]
        if stands[-1] is Step.SHED:
            assert stands[0] >= Step.LOW_EFFORT
        assert shed_live or stands[0] is not Step.SHED


def test_an_hour_without_judging_gives_all_of_it_back() -> None:
    now = 0.0
    budget = ComputeBudget(tokens_per_hour=10)
    steps = BudgetSteps(budget, begins=0.7, clock=lambda: now)
    budget.spend(Compute(10), now)
    assert steps.step(Lane.STANDARD) is Step.SHED
    now = 3_661.0
    assert [steps.step(lane) for lane in Lane] == [Step.FULL] * 3


def test_each_change_is_logged_once_with_what_every_lane_gets() -> None:
    budget = ComputeBudget(engine_seconds_per_hour=100)
    steps = BudgetSteps(budget, begins=0.7, clock=lambda: 1.0)
    with capture_logs() as logs:
        for seconds in (69, 2, 0):
            budget.spend(Compute(0, seconds), 1.0)
            steps.step(Lane.LIVE)
    assert logs == [
        {
            "event": "the compute budget changes what the lanes get",
            "log_level": "warning",
            "used": 0.71,
            "live": "full",
            "standard": "full",
            "backfill": "no_second_look",
        }
    ]


events = st.lists(
    st.tuples(st.sampled_from(Lane), st.floats(0, 600), st.integers(0, 60)),
    min_size=1,
    max_size=60,
)


@given(events, st.integers(50, 400), st.booleans())
def test_whatever_comes_all_is_on_record_and_a_spent_budget_is_for_live_alone(
    coming: list[tuple[Lane, float, int]],
    limit: int,
    shed_live: bool,
) -> None:
    now, budget = 0.0, ComputeBudget(tokens_per_hour=limit)
    asked: list[tuple[float, Effort]] = []
    tokens = 0

    def script(request: JudgeRequest) -> Judgement:
        asked.append((budget.used(now), request.effort))
        return (THREAT if request.second else CLOSE)._replace(prompt_tokens=tokens, output_tokens=0)

    metrics = Metrics()
    judge = Spending(ScriptedJudge(script), metrics, budget=budget, clock=lambda: now)
    steps = BudgetSteps(budget, begins=0.5, shed_live=shed_live, clock=lambda: now)
    asking = Asking(judge, RetrySchedule(attempts=1, base_s=1, cap_s=1), metrics, steps=steps)
    judging = Judging(asking, content_for, metrics)

    async def all_of_them() -> None:
        nonlocal now, tokens
        for lane, pause, tokens in coming:  # noqa: B007 (the script reads it)
            now += pause
            before = len(asked)
            (finding,) = await judging.judge(admission(policies=(LOOK,), lane=lane))
            looks = asked[before:]
            shed = finding.reading.reason is Reason.SHED_COMPUTE_BUDGET
            assert shed is (not looks)
            assert finding.stages == tuple(effort.value for _, effort in looks)
            assert (
                finding.reading.outcome
                is (
                    Outcome.EXPIRED,
                    Outcome.NO_VIOLATION,
                    Outcome.VIOLATION,
                )[len(looks)]
            )
            assert (Degraded.EFFORT_REDUCED in finding.degraded) is (len(looks) == 1)
            if looks and looks[0][0] >= 1.0:
                assert lane is Lane.LIVE
                assert not shed_live
                assert looks[0][1] is Effort.LOW

    asyncio.run(all_of_them())
