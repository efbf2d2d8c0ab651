"""The scenarios: an engine as `afterguard size` estimates it, under loads and autoscalers.

One engine judges 9.5 events a second: the likely case of six policies, one request each, on an
H100. Workers share nothing but the load, so what holds for five of them holds for five hundred.
"""

from collections.abc import Iterator
from typing import Final

from afterguard.contracts.words import Lane
from afterguard.sizing.batch_server import BatchServer
from benchmarks.scaling.arrivals import Burst, Load
from benchmarks.scaling.autoscaler import Scaling
from benchmarks.scaling.outcome import Scenario
from benchmarks.scaling.worker import Rules

ENGINE: Final = BatchServer(floor_s=1.05, work_s=0.0995, slots=170)
"""Six policies, each a request of its own, on an H100 (likely case)."""
LANES: Final = {Lane.LIVE: 0.5, Lane.STANDARD: 0.4, Lane.BACKFILL: 0.1}
PARTITIONS: Final = 60
GPUS: Final = (3, 4, 5)
LOADS: Final = (20.0, 25.0, 30.0, 35.0, 40.0)
FORWARDED: Final = (1.0, 0.8, 0.6, 0.4, 0.2, 0.1)
_HOUR_S: Final = 3600.0
_RULES: Final = Rules(ENGINE)


def loads(hours: float) -> Iterator[Scenario]:
    """A fixed number of GPUs under a steady load with one burst, for each load."""
    for gpus in GPUS:
        for per_s in LOADS:
            yield Scenario(
                f"{gpus} GPUs, {per_s:g}/s", _steady(per_s, hours), _RULES, gpus, None, hours
            )


def prefilters(hours: float) -> Iterator[Scenario]:
    """The same load with a prefilter that lets less and less through."""
    for gpus in GPUS[:2]:
        for forwarded in FORWARDED:
            load = _steady(40.0, hours)._replace(forwarded=forwarded)
            name = f"{gpus} GPUs, 40/s, {forwarded:.0%} forwarded"
            yield Scenario(name, load, _RULES, gpus, None, hours)


def autoscalers() -> Iterator[Scenario]:
    """A day in three hours with a burst on its slope, under autoscalers that differ."""
    day = Load(
        12.0,
        swing=0.6,
        period_s=3 * _HOUR_S,
        bursts=(Burst(0.9 * _HOUR_S, 600.0, 2.0),),
        lanes=LANES,
        partitions=PARTITIONS,
    )
    chart = Scaling(1, 8)
    shared = chart._replace(by_ratio=False)
    hasty = chart._replace(down_window_s=60.0, down_every_s=30.0)
    hot = day._replace(hot=0.15)
    for name, scaling, workers, load in (
        ("fixed at the peak's size, 3", None, 3, day),
        ("fixed at the average's size, 2", None, 2, day),
        ("lag alone, 2,000 each", chart._replace(lag_each=2_000.0, oldest_s=None), 1, day),
        ("lag alone, 285 each", chart._replace(oldest_s=None), 1, day),
        ("as the chart: lag 285, age 30 s", chart, 1, day),
        ("lag 285, one for each 30 s", shared, 1, day),
        ("the chart, down after 60 s", hasty, 1, day),
        ("the chart, a load takes 10 min", chart._replace(load_s=600.0), 1, day),
        ("the chart, never below 3", chart._replace(least=3), 3, day),
        ("hot partition: the chart", chart, 1, hot),
        ("hot partition: one for each 30 s", shared, 1, hot),
    ):
        yield Scenario(name, load, _RULES, workers, scaling, 3.0)


def _steady(per_s: float, hours: float) -> Load:
    burst = Burst(hours * _HOUR_S / 2, 60.0, 1.5)
    return Load(per_s, bursts=(burst,), lanes=LANES, partitions=PARTITIONS)
