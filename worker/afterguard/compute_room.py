"""The compute budget's part of the composition: what judging costs, and what it gets for that."""

from collections.abc import Callable
from time import monotonic

from afterguard.contracts.words import Lane
from afterguard.delivery.compute_budget import ComputeBudget
from afterguard.flow.compute_settings import ComputeSettings
from afterguard.flow.effort import BudgetSteps, FullEffort, Steps
from afterguard.telemetry.metrics import Metrics


class ComputeRoom:
    """What belongs to the compute budget.

    Args:
        settings: All of `judging.compute`.
        metrics: Where it is shown.
        clock: Monotonic seconds.

    Attributes:
        spent: Adds up what judging costs.
        steps: What it leaves to each lane.
    """

    def __init__(
        self, settings: ComputeSettings, metrics: Metrics, clock: Callable[[], float] = monotonic
    ) -> None:
        self._settings, self._shown, self._clock = settings, metrics.policies.compute, clock
        self.spent = ComputeBudget(
            tokens_per_hour=settings.tokens_per_hour,
            engine_seconds_per_hour=settings.engine_seconds_per_hour,
        )
        self.steps: Steps = FullEffort()
        if settings.limited:
            self.steps = BudgetSteps(
                self.spent,
                begins=settings.step_down_from,
                shed_live=settings.shed_live,
                clock=clock,
            )

    def look(self) -> None:
        """Show how it stands, and step up again where nothing is asked any more."""
        settings, now = self._settings, self._clock()
        spent = self.spent.last_hour(now)
        if tokens := settings.platform_tokens_per_hour:
            self._shown.show_share("tokens", spent.tokens / tokens)
        if seconds := settings.platform_engine_seconds_per_hour:
            self._shown.show_share("engine_seconds", spent.engine_seconds / seconds)
        if settings.limited:
            steps = {lane: self.steps.step(lane) for lane in Lane}
            self._shown.show_budget(self.spent.used(now), steps)


def compute_room(settings: ComputeSettings, metrics: Metrics) -> ComputeRoom | None:
    """The compute budget that the settings describe; None when they describe none.

    Args:
        settings: All of `judging.compute`.
        metrics: Where it is shown.
    """
    platform = settings.platform_tokens_per_hour or settings.platform_engine_seconds_per_hour
    return ComputeRoom(settings, metrics) if settings.limited or platform else None
