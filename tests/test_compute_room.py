"""A whole worker under a tiny compute budget: it steps down in order, sheds last, and says all."""

from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import MemoryWorker, until
from tests.policy.documents import FRONT, document
from tests.samples import answered

from afterguard.compute_room import ComputeRoom, compute_room
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.words import Effort, Lane
from afterguard.delivery.compute_budget import Compute
from afterguard.flow.compute_settings import ComputeSettings
from afterguard.flow.effort import Step
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.telemetry.metrics import Metrics

LANES = [lane.value for lane in Lane]
# Ten looks between two steps, so that a turn of the three lanes skips none.
BUDGET = 16_000


def script(asked: JudgeRequest) -> Judgement:
    """In doubt at first, certain at the second look; each look costs a hundred tokens."""
    answer = answered(True, "Q2", score=0.9) if asked.second else answered(False, score=0.45)
    return answer._replace(prompt_tokens=90, output_tokens=10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One policy with a second look, of medium effort, and with its own wish for what expires."""
    front = FRONT.replace("uncertain: [0.3, 0.7]\n", "") + (
        "effort: medium\non_expiry: hide\nsecond_look: {effort: high, band: [0.4, 0.6]}\n"
    )
    (tmp_path / "queue.md").write_text(document(front), encoding="utf-8")
    return tmp_path


def got(verdict: dict[str, Any]) -> Step:
    """What its lane got when it was judged, by what the verdict says."""
    if verdict["reason"] == "shed_compute_budget":
        return Step.SHED
    return {"high": Step.FULL, "medium": Step.NO_SECOND_LOOK, "low": Step.LOW_EFFORT}[
        verdict["effort"]
    ]


async def written(worker: MemoryWorker, count: int) -> None:
    """Wait for so many verdicts."""
    await until(lambda: len(worker.audit) >= count)


async def test_under_a_tiny_budget_a_worker_steps_down_in_order_and_sheds_last(
    folder: Path,
) -> None:
    judge = ScriptedJudge(script)
    worker = MemoryWorker(
        judge,
        policies={"directory": folder},
        judging={"compute": {"tokens_per_hour": BUDGET, "step_down_from": 0.5}},
        intake={"max_concurrent_events": 1},
    )
    count = 150
    serving = worker.serve()
    for number in range(count):
        worker.send(number, lane=LANES[number % 3], content=f"text {number}")
        # One after the other, so that the budget is the same for all three lanes of a turn.
        await written(worker, number + 1)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED

    verdicts = sorted(
        (orjson.loads(it.value or b"") for it in worker.audit), key=lambda it: it["offset"]
    )
    assert [it["offset"] for it in verdicts] == list(range(count))
    steps = {lane: [got(it) for it in verdicts[at::3]] for at, lane in enumerate(LANES)}
    # Down and never up again within the hour, the less urgent lane always ahead.
    assert all(its == sorted(its) for its in steps.values())
    for live, standard, backfill in zip(*(steps[it] for it in LANES), strict=True):
        assert live <= standard <= backfill
    assert [set(steps[it]) for it in LANES] == [
        {Step.FULL, Step.NO_SECOND_LOOK, Step.LOW_EFFORT},
        set(Step),
        set(Step),
    ]
    first_shed = next(it["offset"] for it in verdicts if got(it) is Step.SHED)
    assert got(verdicts[first_shed - first_shed % 3 - 3]) is Step.LOW_EFFORT

    for verdict in verdicts:
        step = got(verdict)
        assert ("effort_reduced" in verdict["degraded"]) is (
            step in (Step.NO_SECOND_LOOK, Step.LOW_EFFORT)
        )
        if step is Step.SHED:
            assert (verdict["outcome"], verdict["action"]) == ("expired", "hide")
            assert (verdict["attempts"], verdict["effort"]) == (0, None)
        else:
            assert verdict["outcome"] == ("violation" if step is Step.FULL else "no_violation")
    efforts = Counter(it.effort for it in judge.requests)
    told = Counter(got(it) for it in verdicts)
    assert efforts == {
        Effort.MEDIUM: told[Step.FULL] + told[Step.NO_SECOND_LOOK],
        Effort.HIGH: told[Step.FULL],
        Effort.LOW: told[Step.LOW_EFFORT],
    }
    worker.app.gauges.look()
    sample = worker.app.metrics.registry.get_sample_value
    assert (
        sum(
            sample("afterguard_unasked_events_total", {"reason": "shed_compute_budget", "lane": it})
            or 0
            for it in LANES
        )
        == told[Step.SHED]
    )
    assert [sample("afterguard_compute_step", {"lane": it}) for it in LANES] == [2, 3, 3]
    used = sample("afterguard_compute_budget_used")
    assert used == pytest.approx(100 * len(judge.requests) / BUDGET)


async def test_without_a_budget_nothing_is_taken_and_all_of_it_is_counted(folder: Path) -> None:
    worker = MemoryWorker(ScriptedJudge(script), policies={"directory": folder})
    serving = worker.serve()
    for number in range(20):
        worker.send(number, content=f"text {number}")
    await written(worker, 20)
    worker.stop.ask()
    await serving
    verdicts = [orjson.loads(it.value or b"") for it in worker.audit]
    assert {(tuple(it["stages"]), it["effort"], it["prompt_tokens"]) for it in verdicts} == {
        (("medium", "high"), "high", 180)
    }
    sample = worker.app.metrics.registry.get_sample_value
    looks = {"policy": "queue", "reason": "band", "result": "changed"}
    assert sample("afterguard_second_looks_total", looks) == 20
    for effort, stage in (("medium", "first"), ("high", "second")):
        labels = {"effort": effort, "stage": stage}
        assert sample("afterguard_judging_tokens_total", labels | {"kind": "prompt"}) == 1_800
        assert sample("afterguard_judging_tokens_total", labels | {"kind": "output"}) == 200


def test_the_share_of_the_platform_is_shown_and_falls_when_nothing_is_judged() -> None:
    metrics, now = Metrics(), 0.0
    settings = ComputeSettings(
        platform_tokens_per_hour=10_000, platform_engine_seconds_per_hour=7_200
    )
    room = ComputeRoom(settings, metrics, clock=lambda: now)
    room.spent.spend(Compute(500, 36.0), now)

    def share(kind: str) -> float | None:
        room.look()
        labels = {"kind": kind}
        return metrics.registry.get_sample_value("afterguard_safety_compute_share", labels)

    assert (share("tokens"), share("engine_seconds")) == (0.05, 0.005)
    assert room.steps.step(Lane.BACKFILL) is Step.FULL
    now = 4_000.0
    assert (share("tokens"), share("engine_seconds")) == (0.0, 0.0)


def test_without_a_budget_or_a_platform_there_is_no_room_at_all() -> None:
    assert compute_room(ComputeSettings(), Metrics()) is None
