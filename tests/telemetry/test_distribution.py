"""Distributions: to Prometheus they are what its own library makes, and they name traces."""

from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from afterguard.telemetry.distribution import Distribution
from afterguard.telemetry.exposition import page

BUCKETS = (0.1, 1, 30, 600)


def made(registry: CollectorRegistry, *labels: str) -> Distribution:
    return Distribution("seen_seconds", "Text.", labels, buckets=BUCKETS, registry=registry)


@given(st.lists(st.sampled_from((*BUCKETS, 0.0, 0.05, 1.5, 1e9)) | st.floats(0, 1_000)))
def test_the_page_shows_what_a_histogram_of_prometheus_client_would(values: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    spread = made(ours, "lane").labels("live")
    model = Histogram("seen_seconds", "Text.", ["lane"], buckets=BUCKETS, registry=theirs)
    model.labels("live")
    for value in values:
        spread.observe(value)
        model.labels("live").observe(value)
    assert sorted(page([ours]).text.splitlines()) == sorted(page([theirs]).text.splitlines())


def test_a_bucket_names_the_trace_that_was_seen_in_it_last() -> None:
    registry = CollectorRegistry()
    spread = made(registry).labels()
    spread.observe(0.5, "a" * 32)
    spread.observe(0.7, "b" * 32)
    spread.observe(0.8)
    shown = openmetrics(registry).decode().splitlines()  # type: ignore[no-untyped-call]
    named = [line for line in shown if "trace_id" in line]
    assert len(named) == 1
    assert named[0].startswith('seen_seconds_bucket{le="1.0"} 3.0 # {trace_id="' + "b" * 32)


def test_a_page_that_is_made_meanwhile_is_whole_and_nothing_is_lost() -> None:
    registry = CollectorRegistry()
    spread = made(registry).labels()

    def look() -> None:
        counts = [count for _, count, *_ in spread.shown()[0]]
        assert counts == sorted(counts)
        generate_latest(registry)

    with ThreadPoolExecutor(2) as threads:
        looks = [threads.submit(look) for _ in range(200)]
        for number in range(10_000):
            spread.observe(number % 700)
        wait(looks)
    assert all(it.exception() is None for it in looks)
    assert registry.get_sample_value("seen_seconds_count") == 10_000


def test_buckets_that_do_not_rise_are_refused() -> None:
    with pytest.raises(ValueError, match="do not rise"):
        Distribution("x", "Text.", buckets=(1, 1), registry=CollectorRegistry())


def test_labels_must_be_as_many_as_their_names() -> None:
    with pytest.raises(ValueError, match="1 labels, not 2"):
        made(CollectorRegistry(), "lane").labels("live", "more")
