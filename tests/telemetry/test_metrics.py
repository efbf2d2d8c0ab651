"""Metrics are one typed list, and everything else follows it."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from afterguard.contracts.errors import RejectReason
from afterguard.contracts.words import Action, Lane, Outcome
from afterguard.telemetry.distribution import Distribution
from afterguard.telemetry.metric import Metric
from afterguard.telemetry.metric_docs import page
from afterguard.telemetry.metric_list import METRICS
from afterguard.telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
BOUNDED = {"action", "agreement", "cause", "effort", "engine", "kind", "lane", "model", "outcome",
           "partition", "policy", "reason", "result", "room", "stage", "topic",
           "version"}  # fmt: skip
CAUSES = {it.value for it in RejectReason} | {
    "retries_exhausted", "request_refused", "internal_fault", "quarantined",
}  # fmt: skip


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


def test_verdicts_are_counted_by_policy_outcome_and_action() -> None:
    metrics = Metrics()
    metrics.verdict("hate", Outcome.VIOLATION, Action.HIDE)
    metrics.verdict("hate", Outcome.VIOLATION, Action.HIDE)
    metrics.verdict("hate", Outcome.VIOLATION, Action.LABEL)
    metrics.verdict(None, Outcome.SKIPPED, Action.NONE)
    labels = {"policy": "hate", "outcome": "violation", "action": "hide"}
    assert metrics.registry.get_sample_value("afterguard_verdicts_total", labels) == 2


def test_partitions_that_went_are_no_longer_shown() -> None:
    metrics = Metrics()
    for held in ({("t", 0), ("t", 1)}, {("t", 1)}):
        metrics.partitions.keep(held)
        for partition in held:
            metrics.partitions.lag_records.labels(*partition).set(5)
            metrics.partitions.oldest_unjudged(*partition, {"live": 7.0})
    shown = generate_latest(metrics.registry).decode()
    gauges = [it for it in shown.splitlines() if "skipped_by_retention" not in it]
    assert not [it for it in gauges if 'partition="0"' in it]
    assert 'lag_records{partition="1",topic="t"} 5.0' in shown
    assert 'oldest_unjudged_seconds{lane="live",partition="1",topic="t"} 7.0' in shown


def test_no_loss_to_retention_is_a_zero_from_the_start() -> None:
    metrics = Metrics()
    metrics.partitions.keep({("t", 0)})
    labels = {"topic": "t", "partition": "0"}
    name = "afterguard_records_skipped_by_retention_total"
    assert metrics.registry.get_sample_value(name, labels) == 0


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_of_the_list_is_made_with_its_labels(metric: Metric) -> None:
    made: Any = Metrics().registry._names_to_collectors[f"afterguard_{metric.name}"]
    if metric.kind == "histogram":
        assert isinstance(made, Distribution)
        assert made.label_names == metric.labels
    else:
        assert made._type == metric.kind
        assert made._labelnames == metric.labels


def test_nothing_is_counted_that_is_not_on_the_list() -> None:
    families = {family.name for family in Metrics().registry.collect()}
    assert families == {f"afterguard_{metric.name.removesuffix('_total')}" for metric in METRICS}


@pytest.mark.parametrize("name", [name for name in vars(Metrics()) if not name.startswith("_")])
def test_every_metric_is_fed_by_somebody(name: str) -> None:
    sources = [
        file.read_text(encoding="utf-8")
        for file in (ROOT / "worker").rglob("*.py")
        if file.name != "metrics.py"
    ]
    assert any(re.search(rf"metrics\.{name}\b", source) for source in sources)


@pytest.mark.parametrize(
    ("metric", "label", "words"),
    [
        ("events_rejected_total", "reason", {it.value for it in RejectReason}),
        ("interventions_total", "action", {it.value for it in Action}),
        ("queue_seconds_count", "lane", {it.value for it in Lane}),
        ("cache_requests_total", "result", {"hit", "miss", "away"}),
        ("engine_restarts_total", "cause", {"died", "hung", "refused"}),
        ("judge_faults_total", "result", {"busy", "fault", "lost", "refused", "unforeseen"}),
        ("consumer_rebuilds_total", "reason", {"stalled", "refused", "cut_off"}),
        ("dead_letters_total", "reason", CAUSES),
        ("flood", "reason", CAUSES),
    ],
)
def test_a_closed_set_of_labels_is_shown_from_the_start(
    metric: str, label: str, words: set[str]
) -> None:
    shown = {
        sample.labels[label]
        for family in Metrics().registry.collect()
        for sample in family.samples
        if sample.name == f"afterguard_{metric}"
    }
    assert shown == words
