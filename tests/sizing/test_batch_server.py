"""The engine as a queue: at its borders it is one that has a formula."""

from math import factorial, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.sizing.batch_server import BatchServer, after_burst_s, drained_after_s, waits


def erlang_c(servers: int, load: float) -> float:
    """Probability that one waits in M/M/c."""
    full = load**servers / factorial(servers) * servers / (servers - load)
    return full / (sum(load**n / factorial(n) for n in range(servers)) + full)


@pytest.mark.parametrize("per_s", [10, 30, 40, 45, 49])
def test_without_work_it_is_m_m_c(per_s: float) -> None:
    found = waits(BatchServer(0.2, 0.0, 10), per_s)
    assert found.waiting == pytest.approx(erlang_c(10, per_s * 0.2))
    assert found.mean_wait_s == pytest.approx(erlang_c(10, per_s * 0.2) / (50 - per_s))


@pytest.mark.parametrize("per_s", [1, 10, 19])
def test_without_a_floor_it_is_m_m_1(per_s: float) -> None:
    found = waits(BatchServer(0.0, 0.05, 1), per_s)
    assert found.mean_s == pytest.approx(1 / (20 - per_s))


def test_with_slots_enough_it_shares_the_processor() -> None:
    # The mean time is that of one alone by what is left of the capacity.
    server = BatchServer(0.4, 0.03, 2_000)
    assert waits(server, 25).mean_s == pytest.approx(server.time_s(1) / (1 - 25 * 0.03))


def test_above_its_capacity_everything_waits_for_ever() -> None:
    server = BatchServer(1.0, 0.1, 10)
    assert waits(server, server.capacity).mean_s == inf


@given(
    floor=st.floats(0.01, 5),
    work=st.floats(0.001, 1),
    slots=st.integers(1, 300),
    low=st.floats(0.01, 0.97),
)
def test_more_arrivals_never_wait_less(floor: float, work: float, slots: int, low: float) -> None:
    server = BatchServer(floor, work, slots)
    less = waits(server, low * server.capacity)
    more = waits(server, (low + 0.02) * server.capacity)
    assert more.mean_wait_s >= less.mean_wait_s * (1 - 1e-9)
    assert more.mean_s >= less.mean_s * (1 - 1e-9)


def test_a_burst_leaves_what_the_engine_did_not_end() -> None:
    server = BatchServer(0.0, 0.1, 10)  # ten a second
    # 20 a second for 60 s, 10 of them a second are left: 600, which take a minute more.
    assert after_burst_s(server, 10, 2, 60) == pytest.approx(60 + server.time_s(10))
    assert drained_after_s(server, 8, 2, 60) == pytest.approx((16 - 10) * 60 / 2)


def test_a_burst_below_the_capacity_leaves_nothing() -> None:
    server = BatchServer(0.1, 0.1, 10)
    assert drained_after_s(server, 2, 1.5, 60) == 0
    assert after_burst_s(server, 2, 1.5, 60) == pytest.approx(waits(server, 3).mean_s)
