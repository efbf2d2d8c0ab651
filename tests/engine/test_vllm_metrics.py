"""vLLM's metrics are shown on our registry while its engine runs, and nothing else is."""

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, generate_latest

from afterguard.engine.vllm_metrics import VllmMetrics


@pytest.fixture
def _two_gauges() -> Iterator[None]:
    theirs = Gauge("vllm:of_this_test", "One of vLLM's.")
    other = Gauge("other_of_this_test", "Somebody else's.")
    theirs.set(3)
    yield
    REGISTRY.unregister(theirs)
    REGISTRY.unregister(other)


@pytest.mark.usefixtures("_two_gauges")
def test_they_are_shown_from_start_to_stop() -> None:
    registry = CollectorRegistry()
    metrics = VllmMetrics(registry)
    assert generate_latest(registry) == b""
    metrics.show()
    metrics.show()
    shown = generate_latest(registry).decode()
    assert "vllm:of_this_test 3.0" in shown
    assert "other_of_this_test" not in shown
    metrics.hide()
    metrics.hide()
    assert generate_latest(registry) == b""
