"""Steering: the budget's limit is what the engine's load and the settled work make it."""

import pytest
from tests.flow.judges import ScriptedJudge
from tests.samples import answered

from afterguard.delivery.budget import TokenBudget
from afterguard.delivery.token_limit import TokenLimit
from afterguard.flow.ports import EngineLoad
from afterguard.stream.budget_steering import BudgetSteering


class Telling(ScriptedJudge):
    """An engine that says how busy it is."""

    said: EngineLoad | None = None

    def load(self) -> EngineLoad | None:
        """What the test lets it say."""
        return self.said


class Scene:
    """A budget of 1,000 tokens, always used up, and a clock."""

    def __init__(self, judge: ScriptedJudge) -> None:
        self.now = 0.0
        self.budget = TokenBudget(1_000, 100_000, 0.7)
        self.steering = BudgetSteering(
            self.budget, TokenLimit(100, 1_000), judge, clock=lambda: self.now
        )

    def live(self, seconds: int, per_s: int) -> int:
        """So many seconds of so much settled work; the limit in the end."""
        for _ in range(seconds):
            self.now += 1
            self.fill()
            for _ in range(min(per_s, self.budget.statistics().tokens)):
                self.budget.release(1)
            self.fill()
            self.steering.look()
        return self.budget.statistics().token_limit

    def fill(self) -> None:
        while not self.budget.exhausted:
            self.budget.take(1)


@pytest.mark.parametrize("judge", [ScriptedJudge(answered(False)), Telling(answered(False))])
def test_an_engine_that_does_not_tell_is_judged_by_how_fast_it_works(judge: ScriptedJudge) -> None:
    scene = Scene(judge)
    assert scene.live(100, per_s=5) <= 300
    assert scene.live(200, per_s=50) > 500


def test_a_full_engine_lowers_the_limit_and_one_with_room_raises_it() -> None:
    judge = Telling(answered(False))
    scene = Scene(judge)
    judge.said = EngineLoad(running=100, waiting=50, kv_usage=1.0)
    assert scene.live(100, per_s=20) <= 20 * 15
    judge.said = EngineLoad(running=10, waiting=0, kv_usage=0.1)
    assert scene.live(100, per_s=20) == 1_000


def test_intake_is_held_back_at_once_when_the_limit_falls_below_what_is_in_flight() -> None:
    budget = TokenBudget(1_000, 100, 0.5)
    budget.take(600)
    told = []
    for limit in (1_000, 500, 2_000):
        budget.limit(limit)
        told.append(budget.exhausted)
    assert told == [False, True, False]
