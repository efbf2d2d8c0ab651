"""One page of several registries: OpenMetrics for whoever asks for it, whole, and ended once."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar, Sample
from structlog.testing import capture_logs

from afterguard.telemetry.exposition import page
from afterguard.telemetry.metrics import Metrics

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)


class Odd(Collector):
    """A family that OpenMetrics has no place for: an exemplar of a gauge."""

    def collect(self) -> Iterator[Metric]:
        family = Metric("vllm:odd", "Text.", "gauge")
        exemplar = Exemplar({"trace_id": "a"}, 1.0)
        family.samples = [Sample("vllm:odd", {}, 1.0, None, exemplar)]
        yield family


@pytest.fixture
def engine() -> CollectorRegistry:
    """As vLLM makes its own."""
    registry = CollectorRegistry()
    Gauge("vllm:kv_cache_usage_perc", "Usage.", ["model_name"], registry=registry).labels("m")
    Counter("vllm:prefix_cache_hits", "Hits.", ["model_name"], registry=registry).labels("m").inc(2)
    Histogram("vllm:e2e_request_latency_seconds", "Time.", registry=registry).observe(1)
    return registry


def families(text: bytes) -> dict[str, Metric]:
    found = list(text_string_to_metric_families(text.decode()))  # type: ignore[no-untyped-call]
    assert len({it.name for it in found}) == len(found)
    return {it.name: it for it in found}


def test_prometheus_gets_openmetrics_of_all_registries_that_ends_once(
    engine: CollectorRegistry,
) -> None:
    metrics = Metrics()
    metrics.judge_seconds.observe(0.3, "ab" * 16)
    text, content_type = page([metrics.registry, engine], PROMETHEUS_2)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert text.count(b"# EOF") == 1
    assert text.endswith(b"# EOF\n")
    found = families(text)
    assert found["vllm:prefix_cache_hits"].samples[0].name == "vllm:prefix_cache_hits_total"
    assert {"vllm:kv_cache_usage_perc", "vllm:e2e_request_latency_seconds"} <= found.keys()
    seen = [it.exemplar for it in found["afterguard_judge_seconds"].samples if it.exemplar]
    assert [it.labels for it in seen] == [{"trace_id": "ab" * 16}]


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=0.0.4", "application/json"])
def test_all_others_get_the_classic_text_without_exemplars(accept: str) -> None:
    metrics = Metrics()
    metrics.judge_seconds.observe(0.3, "ab" * 16)
    text, content_type = page([metrics.registry], accept)
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"# EOF" not in text
    assert b"trace_id" not in text


def test_of_two_families_with_one_name_the_first_is_shown() -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    Gauge("same", "Text.", registry=one).set(1)
    Gauge("same", "Text.", registry=other).set(2)
    assert families(page([one, other], PROMETHEUS_2).text)["same"].samples[0].value == 1


def test_a_family_that_does_not_fit_costs_the_exemplars_and_not_the_page() -> None:
    metrics, engine = Metrics(), CollectorRegistry()
    engine.register(Odd())
    with capture_logs() as logs:
        text, content_type = page([metrics.registry, engine], PROMETHEUS_2)
    assert content_type.startswith("text/plain")
    assert b"afterguard_engine_slots 0.0" in text
    assert b"vllm:odd 1.0" in text
    assert [it["log_level"] for it in logs] == ["warning"]


@pytest.mark.parametrize("accept", ["", PROMETHEUS_2])
def test_no_series_tells_when_another_was_begun(accept: str, engine: CollectorRegistry) -> None:
    assert b"_created" not in page([Metrics().registry, engine], accept).text
