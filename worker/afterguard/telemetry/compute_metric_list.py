"""The metrics of what judging costs, and of what it gets for that."""

from typing import Final

from afterguard.telemetry.metric import Metric

COMPUTE_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "judging_tokens_total",
        "counter",
        "tokens",
        "Tokens of answered requests, as each was answered: `prompt` was read anew, `cached` came "
        "from the prefix cache, `output` was written. `stage` is the first look or the second.",
        "grows faster than the events: more second looks, a higher effort, or longer policies",
        ("effort", "stage", "kind"),
    ),
    Metric(
        "judging_engine_seconds_total",
        "counter",
        "seconds",
        "Time in which the engine had requests of this worker, shared out among them: never more "
        "than the time that went by.",
        "one second each second: the engine is never idle; see queue_seconds",
        ("effort", "stage"),
    ),
    Metric(
        "safety_compute_share",
        "gauge",
        "share",
        "What judging cost here in the last hour, of judging.compute.platform_*. Sum it over the "
        "workers.",
        "more than was agreed on: set a budget in judging.compute, or narrow policies",
        ("kind",),
    ),
    Metric(
        "compute_budget_used",
        "gauge",
        "share",
        "What was spent in the last hour, of judging.compute's budget for this worker.",
        "near 1 for long: raise the budget, or see judging_tokens_total for what spends it",
    ),
    Metric(
        "compute_step",
        "gauge",
        "steps",
        "What the budget leaves to a lane: 0 all, 1 no second look, 2 low effort, 3 nothing.",
        "above 0: verdicts are `effort_reduced`; 3: events are shed; see compute_budget_used",
        ("lane",),
    ),
    Metric(
        "second_looks_total",
        "counter",
        "looks",
        "First answers that a policy wants to have looked at again, by why, and what came of it.",
        "few `changed`: a narrower band costs less; `failed`: deadlines or cut reasoning; "
        "`withheld`: the budget is used up",
        ("policy", "reason", "result"),
    ),
)
