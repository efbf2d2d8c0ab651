"""What a simulated fleet came to: one row of the table, and what happened on the way."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.scaling.arrivals import SHAPE, Load
from benchmarks.scaling.autoscaler import Scaling
from benchmarks.scaling.fleet import Fleet, Moment
from benchmarks.scaling.worker import Rules


class Scenario(NamedTuple):
    """What is simulated.

    Attributes:
        name: In the table.
        load: What comes.
        rules: Of every worker.
        workers: At the begin.
        scaling: Of the autoscaler; None for a fixed number of workers.
        hours: How long.
    """

    name: str
    load: Load
    rules: Rules
    workers: int
    scaling: Scaling | None
    hours: float


class Outcome(NamedTuple):
    """One row.

    Attributes:
        name: Of the scenario.
        per_s: Messages a second that came.
        arrived: Messages that came.
        p50_s: From a message to its verdict, the middle one of those judged.
        p99_s: The last but one of a hundred.
        late_share: Judged later than a minute after they came.
        expired_share: Of those that came, given up at their deadline.
        shed_share: Of those that came, given up in an overload.
        most_waiting: Messages that waited at the worst moment.
        oldest_s: Age of the oldest at the worst moment.
        left: Messages that still waited at the end.
        most_pods: Pods at most.
        gpu_hours: Of all pods, those that load included, for an engine on one GPU.
    """

    name: str
    per_s: float
    arrived: int
    p50_s: float
    p99_s: float
    late_share: float
    expired_share: float
    shed_share: float
    most_waiting: int
    oldest_s: float
    left: int
    most_pods: int
    gpu_hours: float


LATE_S = 60.0


def simulate(scenario: Scenario, seed: int) -> tuple[Outcome, list[Moment]]:
    """Let a scenario happen.

    Args:
        scenario: What.
        seed: Of chance.
    """
    until_s = 3600 * scenario.hours
    fleet = Fleet(scenario.load, scenario.rules, scenario.workers, scaling=scenario.scaling)
    moments = list(fleet.run(until_s, seed, shape=SHAPE))
    fates = fleet.fates
    times = sorted(fates.times)
    arrived = max(1, fates.arrived)
    return (
        Outcome(
            scenario.name,
            fates.arrived / until_s,
            fates.arrived,
            quantile(times, 0.50),
            quantile(times, 0.99),
            sum(it > LATE_S for it in times) / arrived,
            fates.expired / arrived,
            fates.shed / arrived,
            max(it.waiting for it in moments),
            max(it.oldest_s for it in moments),
            fates.arrived - fates.ended,
            max(it.pods for it in moments),
            fleet.pod_seconds / 3600,
        ),
        moments,
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Of numbers in their order; 0 when there are none."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
