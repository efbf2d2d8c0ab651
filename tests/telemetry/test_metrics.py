"""Metrics are one typed list, and everything else follows it."""

from pathlib import Path

import pytest

from afterguard.contracts.words import Outcome
from afterguard.telemetry.metric_docs import page
from afterguard.telemetry.metric_list import METRICS, Metric
from afterguard.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
BOUNDED = {"policy", "outcome", "action", "reason", "result", "lane", "topic", "partition",
           "version", "engine", "model"}  # fmt: skip


def test_the_page_in_the_docs_is_the_list() -> None:
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == page()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_says_what_it_means_and_what_to_do(metric: Metric) -> None:
    assert metric.meaning.endswith(".")
    assert metric.remedy
    assert metric.unit
    assert (metric.kind == "counter") == metric.name.endswith("_total")
    assert bool(metric.buckets) == (metric.kind == "histogram")


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_labels_come_from_bounded_sets(metric: Metric) -> None:
    assert set(metric.labels) <= BOUNDED


def test_verdicts_are_counted_by_policy_and_outcome() -> None:
    metrics = Metrics()
    metrics.verdict("hate", Outcome.VIOLATION)
    metrics.verdict("hate", Outcome.VIOLATION)
    metrics.verdict(None, Outcome.SKIPPED)
    labels = {"policy": "hate", "outcome": "violation"}
    assert metrics.registry.get_sample_value("afterguard_verdicts_total", labels) == 2


def test_partitions_that_went_are_no_longer_shown() -> None:
    metrics = Metrics()
    metrics.lag_records.labels("t", 0).set(5)
    metrics.forget_partitions()
    labels = {"topic": "t", "partition": "0"}
    assert metrics.registry.get_sample_value("afterguard_lag_records", labels) is None
