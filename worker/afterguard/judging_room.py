"""The judging room's part of the composition: all that brings an event to its findings.

The evaluation uses the same room as the worker, so that its figures hold for what is deployed.
"""

from collections.abc import Callable

from afterguard.compute_room import ComputeRoom
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Classifiers, Judge, SeenEvents, VerdictCache
from afterguard.flow.shadows import Shadows
from afterguard.flow.spending import Spending
from afterguard.flow.together import Together
from afterguard.flow.trials import Trials
from afterguard.policy.calibration import FittedScores, fitted_scores
from afterguard.policy.normal_form import key_form
from afterguard.policy.prompt import content_for
from afterguard.screening_room import screening_room
from afterguard.settings import Settings
from afterguard.telemetry.metrics import Metrics


def judging_room(
    settings: Settings,
    judge: Judge,
    metrics: Metrics,
    *,
    trials: Trials | None = None,
    compute: ComputeRoom | None = None,
    scores: FittedScores | None = None,
    classifiers: Classifiers | None = None,
    cache: VerdictCache | None = None,
    seen: SeenEvents | None = None,
    overloaded: Callable[[], bool] | None = None,
) -> Judging:
    """The judging that the settings describe.

    Args:
        settings: All of them.
        judge: The engine.
        metrics: Where requests, retries and repeats are counted.
        trials: Who goes to the engine in what company.
        compute: What judging may cost; None to let it cost what it does. An evaluation has none:
            it would measure the budget instead of the policies.
        scores: What was fitted for the policies; None to read it from the folder that is set.
        classifiers: Of policies that name one; None to ask the model under those, too.
        cache: Judgements already made.
        seen: Events already judged and published.
        overloaded: Whether policies on trial are to be given up now. None for an evaluation: they
            are the ones to be measured, and are judged like all others.

    Raises:
        PolicyError: A calibration cannot be used.
        SettingsError: A setting cannot be used.
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
        scores=scores or fitted_scores(settings.policies, judge.model),
        steps=compute.steps if compute else None,
    )
    shadows = Shadows(wait_s=section.shadow_wait_s, overloaded=overloaded) if overloaded else None
    return Judging(
        asking,
        content_for,
        metrics,
        cache=cache,
        seen=seen,
        same=key_form,
        screening=screening_room(settings, metrics, classifiers) if classifiers else None,
        shadows=shadows,
        together=Together(asking, section.combined_most) if section.prompt == "combined" else None,
    )
