"""Tallies: whoever looks at the metrics sees all that was added."""

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
