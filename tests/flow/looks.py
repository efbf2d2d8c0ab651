"""A judging with second looks, as its tests need it."""

from typing import Any

from tests.flow.judges import Answer, ScriptedJudge, in_turn
from tests.flow.steps import Stands
from tests.samples import admission, answered, policy

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.effort import Step
from afterguard.flow.findings import Finding
from afterguard.flow.judge import Judging
from afterguard.flow.second_look import Doubt, Result
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics

CLEAN, THREAT = answered(False, score=0.1), answered(True, "H2", score=0.9)
CLOSE = answered(False, score=0.45)
LOOK = policy(second_look={"band": [0.4, 0.6], "severity": "high"})


class Bench:
    """A judging whose engine gives these answers, one after the other."""

    def __init__(self, *answers: Answer, step: Step = Step.FULL, **parts: Any) -> None:
        self.judge, self.metrics, self.steps = (
            ScriptedJudge(in_turn(*answers)),
            Metrics(),
            Stands(step),
        )
        schedule = RetrySchedule(attempts=2, base_s=0.001, cap_s=0.001)
        scores = parts.pop("scores", None)
        asking = Asking(self.judge, schedule, self.metrics, scores=scores, steps=self.steps)
        self.judging = Judging(asking, content_for, self.metrics, **parts)

    async def finding(self, under: Policy = LOOK, **changes: Any) -> Finding:
        (finding,) = await self.judging.judge(admission(policies=(under,), **changes))
        return finding

    @property
    def efforts(self) -> list[Effort]:
        return [it.effort for it in self.judge.requests]

    def looks(self, reason: Doubt, result: Result) -> float:
        labels = {"policy": LOOK.id, "reason": reason.value, "result": result.value}
        return self.metrics.registry.get_sample_value("afterguard_second_looks_total", labels) or 0
