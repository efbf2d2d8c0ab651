"""The metrics of what judging costs as objects, with the hot ones bound once."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from prometheus_client import Counter, Gauge

from afterguard.contracts.words import Effort, Lane
from afterguard.telemetry.tally import Tallies, Tally

_STAGES = {False: "first", True: "second"}


class Spent(NamedTuple):
    """The counters of one effort and stage.

    Attributes:
        engine_seconds: Of the engine.
        read: Prompt tokens read anew.
        cached: Prompt tokens from the prefix cache.
        written: Tokens that the model wrote.
    """

    engine_seconds: Tally
    read: Tally
    cached: Tally
    written: Tally


class ComputeMetrics:
    """What judging costs, and what the compute budget makes of that.

    Args:
        made: The metrics of `compute_metric_list`, by name.
        tallies: Where the hot ones are added up.

    Attributes:
        spent: By effort, and by whether it is a second look.
    """

    def __init__(self, made: Mapping[str, Any], tallies: Tallies) -> None:
        tokens: Counter = made["judging_tokens_total"]
        seconds: Counter = made["judging_engine_seconds_total"]
        self.spent = {
            (effort, second): Spent(
                tallies.of(seconds.labels(effort.value, stage)),
                *(
                    tallies.of(tokens.labels(effort.value, stage, kind))
                    for kind in ("prompt", "cached", "output")
                ),
            )
            for effort in Effort
            for second, stage in _STAGES.items()
        }
        self._share: Gauge = made["safety_compute_share"]
        self._used: Gauge = made["compute_budget_used"]
        self._step: Gauge = made["compute_step"]
        self._second_looks: Counter = made["second_looks_total"]

    def second_look(self, policy_id: str, reason: str, result: str) -> None:
        """Count one first answer that was in doubt."""
        self._second_looks.labels(policy_id, reason, result).inc()

    def show_share(self, kind: str, share: float) -> None:
        """Show this share of the platform's compute."""
        self._share.labels(kind).set(share)

    def show_budget(self, used: float, steps: Mapping[Lane, int]) -> None:
        """Show how much of the budget is used and where each lane stands."""
        self._used.set(used)
        for lane, step in steps.items():
            self._step.labels(lane.value).set(step)
