"""Tallies: whoever looks at the metrics sees all that was added."""

from concurrent.futures import ThreadPoolExecutor, wait

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, generate_latest

from afterguard.telemetry.tally import Tallies


@given(st.lists(st.none() | st.integers(0, 1_000), max_size=30))
def test_each_look_sees_all_that_was_added_before_it(added: list[int | None]) -> None:
    registry = CollectorRegistry()
    tallies = Tallies(registry)
    tally, total = tallies.of(Counter("added", "Text.", registry=registry)), 0
    for amount in added:
        if amount is None:
            assert registry.get_sample_value("added_total") == total
        else:
            total += amount
            tally.add(amount)
    assert f"added_total {float(total)}\n" in generate_latest(registry).decode()


def test_what_is_added_while_somebody_looks_is_neither_lost_nor_counted_twice() -> None:
    registry = CollectorRegistry()
    tally = Tallies(registry).of(Counter("added", "Text.", registry=registry))
    with ThreadPoolExecutor(4) as threads:
        looks = [threads.submit(generate_latest, registry) for _ in range(400)]
        for _ in range(20_000):
            tally.add(1)
        wait(looks)
    assert registry.get_sample_value("added_total") == 20_000
