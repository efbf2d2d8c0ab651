"""The token limit follows the engine between its bounds, and does not swing."""

from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from afterguard.delivery.token_limit import (
    FULL,
    LEAST_WORK_S,
    MOST_WORK_S,
    ROOMY,
    Look,
    TokenLimit,
)

FLOOR, CEILING = 1_000, 1_000_000

Engine = Callable[[int], tuple[int, int, float]]
"""Running, waiting and KV use when so many tokens are in flight."""


def saturated(
    limit: TokenLimit, rate: float, seconds: int, engine: Engine | None = None, at: int = 0
) -> list[int]:
    """The limits of so many looks, one a second, at a worker that always has more to do."""
    told: list[int] = []
    held = CEILING
    for second in range(at, at + seconds):
        running, waiting, kv = engine(held) if engine else (None, None, None)
        seen = Look(held, round(rate * second), True, running, waiting, kv)
        held = limit.look(seen, float(second))
        told.append(held)
    return told


looks = st.builds(
    Look,
    held=st.integers(0, 10_000_000),
    released=st.integers(0, 10_000_000),
    exhausted=st.booleans(),
    running=st.none() | st.integers(0, 1_000),
    waiting=st.none() | st.integers(0, 1_000),
    kv_usage=st.none() | st.floats(0, 1),
)


@given(st.lists(st.tuples(looks, st.floats(0, 100)), max_size=60))
def test_whatever_is_seen_the_limit_stays_between_its_bounds(
    seen: list[tuple[Look, float]],
) -> None:
    limit, now = TokenLimit(FLOOR, CEILING), 0.0
    for look, later in seen:
        now += later
        assert FLOOR <= limit.look(look, now) <= CEILING


def test_a_floor_above_the_ceiling_is_the_ceiling() -> None:
    limit = TokenLimit(10, 5)
    assert set(saturated(limit, rate=0.001, seconds=60)) == {5}


@given(st.floats(0.5, 1e6))
def test_without_the_engine_s_word_it_comes_to_rest_with_a_fair_amount_of_work(
    rate: float,
) -> None:
    limit = TokenLimit(FLOOR, CEILING)
    told = saturated(limit, rate, 300)
    assert len(set(told[200:])) == 1, "it swings"
    work_s = told[-1] / rate
    assert work_s <= MOST_WORK_S * 1.01 or told[-1] == FLOOR
    assert work_s >= LEAST_WORK_S / 2 or told[-1] == CEILING


@given(
    rate=st.floats(50, 50_000),
    per_request=st.integers(20, 2_000),
    seats=st.integers(1, 1_000),
    kv_per_token=st.floats(1e-7, 1e-2),
)
@example(rate=50.0, per_request=748, seats=3, kv_per_token=1e-7)
def test_beside_an_engine_of_any_size_it_comes_to_rest(
    rate: float, per_request: int, seats: int, kv_per_token: float
) -> None:
    def engine(held: int) -> tuple[int, int, float]:
        requests = held // per_request
        fit = max(1, int(1 / (kv_per_token * per_request)))
        running = min(requests, seats, fit)
        return running, requests - running, min(1.0, running * per_request * kv_per_token)

    told = saturated(TokenLimit(FLOOR, CEILING), rate, 400, engine)
    assert len(set(told[300:])) == 1, "it swings"


def test_it_falls_while_the_kv_cache_is_full_and_requests_wait_for_it() -> None:
    told = saturated(TokenLimit(FLOOR, CEILING), 20_000, 100, lambda _: (100, 1, FULL))
    assert told[0] == CEILING
    assert told[-1] / 20_000 <= LEAST_WORK_S


def test_it_rises_while_the_engine_has_room_and_nothing_waits_there() -> None:
    limit = TokenLimit(FLOOR, CEILING)
    low = saturated(limit, 100, 200, lambda _: (100, 50, FULL))[-1]
    high = saturated(limit, 100, 60, lambda _: (10, 0, ROOMY / 2), at=200)[-1]
    assert low <= 100 * LEAST_WORK_S
    assert high > 10 * low


def test_it_stays_while_the_limit_holds_nothing_back() -> None:
    limit = TokenLimit(FLOOR, CEILING)
    for second in range(100):
        assert limit.look(Look(10, second, False, 100, 100, 1.0), float(second)) == CEILING


def test_a_worker_that_has_settled_nothing_yet_keeps_the_ceiling() -> None:
    limit = TokenLimit(FLOOR, CEILING)
    for second in range(100):
        assert limit.look(Look(CEILING, 0, True), float(second)) == CEILING
    assert limit.rate is None


def test_a_stalled_engine_brings_it_down_and_a_recovered_one_up_again() -> None:
    limit = TokenLimit(FLOOR, CEILING)
    usual = saturated(limit, 10_000, 100)[-1]
    stalled = [
        limit.look(Look(CEILING, 10_000 * 99, True), float(second)) for second in range(100, 220)
    ]
    assert stalled[-1] < usual / 5
    assert saturated(limit, 10_000, 200, at=220)[-1] > usual / 5


def test_little_to_do_does_not_count_as_slow() -> None:
    limit = TokenLimit(FLOOR, CEILING)
    saturated(limit, 10_000, 50)
    before = limit.rate
    for second in range(50, 100):
        limit.look(Look(10, 10_000 * 49 + second, False), float(second))
    assert limit.rate == before
