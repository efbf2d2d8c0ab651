"""The simulation: it loses nothing, agrees with the formulas, and more GPUs never hurt."""

from itertools import pairwise
from math import factorial
from statistics import fmean
from typing import NamedTuple

import pytest
from benchmarks.scaling.arrivals import Burst, Load, messages
from benchmarks.scaling.autoscaler import Autoscaler, Scaling, Seen
from benchmarks.scaling.fleet import Fleet
from benchmarks.scaling.outcome import quantile
from benchmarks.scaling.worker import Rules
from hypothesis import given, settings
from hypothesis import strategies as st

from afterguard.contracts.words import Lane
from afterguard.flow.settings import JudgingSettings
from afterguard.sizing.batch_server import BatchServer, waits

PATIENT = JudgingSettings(deadline_s={Lane.LIVE: None})
ENGINE = BatchServer(0.5, 0.05, 40, 2.5)


def simulated(
    server: BatchServer, per_s: float, seconds: float, shape: float | None, workers: int = 1
) -> Fleet:
    fleet = Fleet(Load(per_s, partitions=12), Rules(server, PATIENT), workers)
    for _ in fleet.run(seconds, 1, shape=shape, every_s=seconds):
        pass
    return fleet


class Chance(NamedTuple):
    """A fleet that was drawn."""

    per_s: float
    forwarded: float
    workers: int
    factor: float
    in_flight: int
    shed_above: int
    seed: int


@settings(max_examples=20, deadline=None)
@given(
    st.builds(
        Chance,
        st.floats(0, 60),
        st.floats(0, 1),
        st.integers(1, 5),
        st.floats(1, 5),
        st.integers(1, 500),
        st.integers(0, 50),
        st.integers(0, 2**32),
    )
)
def test_whatever_comes_has_one_fate_at_every_moment(drawn: Chance) -> None:
    load = Load(
        drawn.per_s,
        bursts=(Burst(20, 20, drawn.factor),),
        forwarded=drawn.forwarded,
        lanes={Lane.LIVE: 0.5, Lane.STANDARD: 0.3, Lane.BACKFILL: 0.2},
        partitions=7,
    )
    judging = JudgingSettings(
        deadline_s={Lane.LIVE: 4, Lane.STANDARD: 10},
        shed_after_s={Lane.BACKFILL: 3},
        shed_above=drawn.shed_above,
    )
    scaling = Scaling(
        1, 5, 20, 3, poll_s=5, load_s=7, down_window_s=9, down_every_s=4, up_every_s=5
    )
    rules = Rules(BatchServer(0.3, 0.1, 6), judging, drawn.in_flight)
    fleet = Fleet(load, rules, drawn.workers, scaling=scaling)
    for moment in fleet.run(60, drawn.seed, every_s=0.5):
        assert moment.arrived == moment.ended + moment.waiting
        assert 1 <= moment.ready <= moment.pods <= 5


@settings(max_examples=5, deadline=None)
@given(per_s=st.floats(5, 30), seed=st.integers(0, 2**32))
def test_more_gpus_never_raise_the_p99(per_s: float, seed: int) -> None:
    found = []
    # Each number divides the next: partitions are split and never mixed anew.
    for workers in (1, 2, 4, 12):
        fleet = Fleet(Load(per_s, partitions=12), Rules(ENGINE, PATIENT), workers)
        for _ in fleet.run(120, seed, every_s=120):
            pass
        # What still waits has waited at least so long.
        left = [120 - it.at for it in fleet.unjudged]
        found.append(quantile(sorted([*fleet.fates.times, *left]), 0.99))
    assert all(more <= fewer + 1e-9 for fewer, more in pairwise(found))


@pytest.mark.parametrize("per_s", [30, 40])
def test_without_work_it_waits_as_in_m_m_c(per_s: float) -> None:
    load = per_s * 0.2
    full = load**10 / factorial(10) * 10 / (10 - load)
    waiting = full / (sum(load**n / factorial(n) for n in range(10)) + full)
    found = fmean(simulated(BatchServer(0.2, 0.0, 10), per_s, 1_000, 1.0).fates.waits)
    assert found == pytest.approx(waiting / (50 - per_s), rel=0.2)


def test_with_even_work_it_waits_as_in_m_d_1() -> None:
    found = fmean(simulated(BatchServer(0.0, 0.05, 1), 16, 2_000, None).fates.waits)
    assert found == pytest.approx(16 * 0.05**2 / 2 / (1 - 0.8), rel=0.1)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9])
def test_it_agrees_with_the_estimate_s_model(share: float) -> None:
    per_s = share * ENGINE.capacity
    times = sorted(simulated(ENGINE, per_s, 1_500, 4.0).fates.times)
    model = waits(ENGINE, per_s)
    assert fmean(times) == pytest.approx(model.mean_s, rel=0.12)
    assert quantile(times, 0.99) == pytest.approx(model.p99_s, rel=0.35)


def test_the_same_seed_gives_the_same_messages_and_another_gives_others() -> None:
    def times(seed: int) -> list[float]:
        return [it.at for it in messages(Load(10), 20, seed, shape=4.0)]

    assert times(1) == times(1) != times(2)


def test_as_many_come_as_the_curve_and_its_burst_say() -> None:
    load = Load(50, swing=0.5, period_s=100, bursts=(Burst(0, 100, 2.0),))
    assert len(list(messages(load, 200, 1, shape=None))) == pytest.approx(15_000, rel=0.03)


def test_the_autoscaler_goes_up_at_once_and_down_only_after_its_window() -> None:
    autoscaler = Autoscaler(Scaling(1, 10, 100, None, down_window_s=300, down_every_s=60))
    assert autoscaler.look(Seen(450, 5, 2, 2), 0) == 5
    assert autoscaler.look(Seen(0, 0, 5, 5), 290) == 5
    assert autoscaler.look(Seen(0, 0, 5, 5), 310) == 4
    assert autoscaler.look(Seen(0, 0, 4, 4), 340) == 4
    assert autoscaler.look(Seen(0, 0, 4, 4), 371) == 3


def test_no_more_pods_come_at_once_than_are_allowed() -> None:
    autoscaler = Autoscaler(Scaling(1, 100, 100, None, up_most=4, up_every_s=60))
    pods = [autoscaler.look(Seen(9_000, 5, 2, 2), 0)]
    pods.append(autoscaler.look(Seen(9_000, 5, 2, pods[-1]), 30))
    pods.append(autoscaler.look(Seen(9_000, 5, 2, pods[-1]), 60))
    assert pods == [6, 6, 10]


def test_the_oldest_age_as_a_ratio_asks_for_workers_in_proportion_to_those_that_judge() -> None:
    autoscaler = Autoscaler(Scaling(1, 10, None, 30, up_most=10))
    assert autoscaler.look(Seen(0, 31, 4, 4), 0) == 4
    assert autoscaler.look(Seen(0, 60, 4, 4), 30) == 8
    # Those that load do not judge yet: the same age asks for no more on their account.
    assert autoscaler.look(Seen(0, 60, 4, 8), 60) == 8


def test_the_oldest_age_as_an_average_does_not_know_how_many_there_are() -> None:
    autoscaler = Autoscaler(Scaling(1, 10, None, 30, by_ratio=False))
    assert autoscaler.look(Seen(0, 60, 1, 1), 0) == 2
    # Eight that are all behind are seven a moment later: two are what it asks for.
    assert autoscaler.look(Seen(0, 60, 8, 8), 30) == 7
