"""A judging whose policies share prompts, as its tests need it."""

from collections.abc import Callable
from typing import Any

from tests.flow.judges import Answer, ScriptedJudge
from tests.flow.steps import Stands
from tests.samples import admission, answered, input_record, policy

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.effort import Step
from afterguard.flow.findings import Finding
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.flow.together import Together
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics

HARASSMENT = policy()
HATE = policy(id="hate", effort="medium", uncertain=(0.4, 0.6), second_look={"effort": "high"})
SPAM = policy(id="spam")
THREE = (SPAM, HATE, HARASSMENT)
# In the order in which they share a prompt.
ASKED = ["harassment", "spam", "hate"]
SHADOW = policy(stage="shadow", version="00000000000000bb")
CLEAN, SLUR = answered(False, score=0.1), answered(True, "H2", score=0.9)


def together(*judgements: Judgement) -> Judgement:
    """As an engine answers for policies of one prompt."""
    first, *others = judgements
    free = (it._replace(prompt_tokens=0, output_tokens=0) for it in others)
    return first._replace(others=tuple(free))


class Doubled:
    """Scores that were all fitted."""

    def calibrated(self, score: float, under: Policy, effort: Effort) -> float | None:
        """See `flow.asking.Scores.calibrated`."""
        del under, effort
        return min(1.0, score * 2)


class Bench:
    """A judging whose policies share prompts."""

    def __init__(
        self,
        script: Answer | Callable[[JudgeRequest], Answer],
        *,
        most: int = 6,
        step: Step = Step.FULL,
        scores: Any = None,
        shared: bool = True,
        **parts: Any,
    ) -> None:
        self.judge, self.metrics, self.steps = ScriptedJudge(script), Metrics(), Stands(step)
        schedule = RetrySchedule(attempts=2, base_s=0.001, cap_s=0.001)
        asking = Asking(self.judge, schedule, self.metrics, scores=scores, steps=self.steps)
        both = Together(asking, most) if shared else None
        self.judging = Judging(asking, content_for, self.metrics, together=both, **parts)

    async def findings(self, *policies: Policy, **changes: Any) -> list[Finding]:
        return await self.judging.judge(admission(policies=policies or THREE, **changes))

    @property
    def asked(self) -> list[list[str]]:
        """The policies of each request."""
        return [[policy.handle for policy in it.policies] for it in self.judge.requests]


def for_each(request: JudgeRequest) -> Judgement:
    """An engine that finds hate, and nothing else."""
    return together(*(SLUR if it.id == "hate" else CLEAN for it in request.policies))


async def again(bench: Bench, *policies: Policy) -> list[Finding]:
    """The same content once more."""
    return await bench.findings(*policies, record=input_record(offset=1))
