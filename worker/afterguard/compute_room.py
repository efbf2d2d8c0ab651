"""The compute budget's part of the composition: what judging costs, and what it gets for that."""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from afterguard.delivery.compute_budget import ComputeBudget
from afterguard.flow.compute_settings import ComputeSettings
from afterguard.flow.effort import BudgetSteps, FullEffort, Steps
from afterguard.telemetry.metrics import Metrics


class ComputeRoom(NamedTuple):
    """What belongs to the compute budget.

    Attributes:
        spent: Adds up what judging costs.
        steps: What it leaves to each lane.
    """

    spent: ComputeBudget
    steps: Steps


def compute_room(
    settings: ComputeSettings, metrics: Metrics, clock: Callable[[], float] = monotonic
) -> ComputeRoom | None:
    """The compute budget that the settings describe; None when they describe none.

    Args:
        settings: All of `judging.compute`.
        metrics: Where it is shown.
        clock: Monotonic seconds.
    """
    tokens, seconds = settings.platform_tokens_per_hour, settings.platform_engine_seconds_per_hour
    if not (settings.limited or tokens or seconds):
        return None
    shown = metrics.policies.compute
    spent = ComputeBudget(
        tokens_per_hour=settings.tokens_per_hour,
        engine_seconds_per_hour=settings.engine_seconds_per_hour,
    )
    if tokens:
        shown.show_share("tokens", lambda: spent.last_hour(clock()).tokens / tokens)
    if seconds:
        shown.show_share(
            "engine_seconds", lambda: spent.last_hour(clock()).engine_seconds / seconds
        )
    if not settings.limited:
        return ComputeRoom(spent, FullEffort())
    steps = BudgetSteps(
        spent, begins=settings.step_down_from, shed_live=settings.shed_live, clock=clock
    )
    shown.show_budget(lambda: spent.used(clock()), steps.step)
    return ComputeRoom(spent, steps)
