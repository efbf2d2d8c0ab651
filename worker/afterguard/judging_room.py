"""The judging room's part of the composition: all that brings an event to its findings.

The evaluation uses the same room as the worker, so that its figures hold for what is deployed.
"""

from afterguard.compute_room import ComputeRoom
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judge, SeenEvents, VerdictCache
from afterguard.flow.spending import Spending
from afterguard.flow.trials import Trials
from afterguard.policy.prompt import content_for
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics


def judging_room(
    settings: Settings,
    judge: Judge,
    metrics: Metrics,
    *,
    trials: Trials | None = None,
    compute: ComputeRoom | None = None,
    cache: VerdictCache | None = None,
    seen: SeenEvents | None = None,
) -> Judging:
    """The judging that the settings describe.

    Args:
        settings: All of them.
        judge: The engine.
        metrics: Where requests, retries and repeats are counted.
        trials: Who goes to the engine in what company.
        compute: What judging may cost; None to let it cost what it does. An evaluation has none:
            it would measure the budget instead of the policies.
        cache: Judgements already made.
        seen: Events already judged and published.
    """
    section = settings.judging
    retry = RetrySchedule(
        section.attempts, section.backoff_base_s, section.backoff_cap_s, section.engine_full_s
    )
    asking = Asking(
        Spending(judge, metrics, budget=compute.spent if compute else None),
        retry,
        metrics,
        trials=trials,
        steps=compute.steps if compute else None,
    )
    return Judging(asking, content_for, metrics, cache=cache, seen=seen)
