"""Two looks at one event, by each engine: two requests, one verdict, and what both of them cost."""

from time import monotonic

from tests.samples import admission, policy

from afterguard.contracts.words import Effort
from afterguard.delivery.compute_budget import ComputeBudget
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.ports import Judge
from afterguard.flow.spending import Spending
from afterguard.telemetry.metrics import Metrics

ALWAYS = policy(second_look={"effort": "high", "band": [0.0, 1.0]})
ONCE = policy()


async def test_the_second_look_is_a_request_of_its_own_at_the_higher_effort(judge: Judge) -> None:
    metrics, budget = Metrics(), ComputeBudget()
    schedule = RetrySchedule(attempts=2, base_s=0.1, cap_s=0.1)
    asking = Asking(Spending(judge, metrics, budget=budget), schedule, metrics)
    began = monotonic()
    once = await asking.ask(admission(), ONCE, "good morning")
    twice = await asking.ask(admission(), ALWAYS, "good morning")
    went_by = monotonic() - began
    assert (once.stages, once.effort) == (("low",), Effort.LOW)
    if twice.score is None:
        # Without a score there is no band to be in.
        assert judge.engine == "null"
        assert twice.stages == ("low",)
        return
    assert (twice.stages, twice.attempts, twice.effort) == (("low", "high"), 2, Effort.HIGH)
    assert once.judgement is not None
    assert twice.judgement is not None
    assert twice.judgement.prompt_tokens >= 2 * once.judgement.prompt_tokens
    assert 0 < budget.last_hour(monotonic()).engine_seconds <= went_by
    tokens = {"effort": "high", "stage": "second", "kind": "output"}
    written = metrics.registry.get_sample_value("afterguard_judging_tokens_total", tokens)
    assert written is not None
    assert 0 < written < twice.judgement.output_tokens
