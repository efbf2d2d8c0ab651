"""Rules that Prometheus takes, of metrics and labels that exist, each with its words and page."""

import re
import subprocess
from functools import cache
from typing import Any, Final

import pytest
from tests.ops.alerts.rule_file import (
    RULES,
    RUNBOOKS,
    alerts,
    grouped_by,
    kebab,
    name_of,
    recorded,
    rules,
    selectors,
)
from tests.ops.dashboards.queries import vllm_metrics
from tests.ops.fetched import tool

from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.words import Lane, Outcome
from afterguard.telemetry.metric_list import METRICS

PAGES: Final = "https://github.com/afterguard/afterguard/blob/main/docs/runbooks"
# What a scrape puts on every series, in Kubernetes and elsewhere.
SCRAPED: Final = {"cluster", "namespace", "job", "instance", "pod", "container"}
KUBERNETES: Final = {
    "kube_pod_container_status_last_terminated_exitcode": {"uid"},
    "kube_pod_container_status_restarts_total": {"uid"},
}
VLLM_LABELS: Final = {"model_name", "engine"}
WORDS: Final = {
    "lane": {it.value for it in Lane} | {"unread"},
    "outcome": {it.value for it in Outcome},
}

each_alert = pytest.mark.parametrize("alert", alerts().values(), ids=lambda it: it["alert"])
each_rule = pytest.mark.parametrize("rule", rules(), ids=name_of)


@cache
def exported() -> dict[str, set[str]]:
    """Every series name that a worker may have, with its labels."""
    found: dict[str, set[str]] = {}
    for metric in METRICS:
        name = f"afterguard_{metric.name}"
        if metric.kind == "histogram":
            found |= {f"{name}{part}": set(metric.labels) for part in ("_sum", "_count")}
            found[f"{name}_bucket"] = {*metric.labels, "le"}
        else:
            found[name] = set(metric.labels)
    return found


@cache
def labels_of(metric: str) -> set[str] | None:
    """The labels of a series; None when nobody exports it."""
    if metric.startswith("afterguard:"):
        mine = [it for it in rules() if it.get("record") == metric]
        told = {label for it in mine for label in (*grouped_by(it["expr"]), *it.get("labels", {}))}
        below = {s.metric for it in mine for s in selectors(it["expr"])}
        return told.union(*(labels_of(it) or set() for it in below)) if mine else None
    if metric in KUBERNETES:
        return SCRAPED | KUBERNETES[metric]
    if metric == "up":
        return SCRAPED
    if metric.startswith("vllm:"):
        return SCRAPED | VLLM_LABELS if metric in vllm_metrics() else None
    ours = exported().get(metric)
    return None if ours is None else SCRAPED | ours


def test_prometheus_takes_the_file() -> None:
    done = subprocess.run(
        [tool("promtool"), "check", "rules", "--lint=all", "--lint-fatal", RULES],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@each_rule
def test_a_rule_asks_for_metrics_that_somebody_exports(rule: dict[str, Any]) -> None:
    asked = selectors(rule["expr"])
    unknown = [it.metric for it in asked if labels_of(it.metric) is None]
    assert not unknown


@each_rule
def test_a_rule_asks_for_labels_that_its_metrics_have(rule: dict[str, Any]) -> None:
    asked = selectors(rule["expr"])
    there = SCRAPED.union(*(labels_of(it.metric) or set() for it in asked))
    matched = {
        (it.metric, name)
        for it in asked
        for name, _, _ in it.matchers
        if name not in (labels_of(it.metric) or set())
    }
    assert not matched
    assert grouped_by(rule["expr"]) <= there


@each_rule
def test_a_rule_asks_for_values_of_the_closed_vocabularies(rule: dict[str, Any]) -> None:
    for selector in selectors(rule["expr"]):
        for name, _, value in selector.matchers:
            if name in WORDS:
                assert set(value.split("|")) <= WORDS[name]


@each_rule
def test_a_sum_over_workers_keeps_deployments_apart(rule: dict[str, Any]) -> None:
    for kind, labels in re.findall(r"\b(sum|count|group|max|min|avg) by \(([^)]*)\)", rule["expr"]):
        by = {it.strip() for it in labels.split(",")}
        numbers = by == {"lane"}  # Of the objectives, which are the same everywhere.
        assert numbers or {"cluster", "namespace"} <= by, (kind, labels)
        assert numbers or by & {"job", "pod"}, (kind, labels)


def test_every_recording_rule_is_used_and_recorded_before_it_is_asked_for() -> None:
    known: set[str] = set()
    used: set[str] = set()
    for rule in rules():
        asked = recorded(rule["expr"])
        assert asked <= known, (name_of(rule), asked - known)
        known |= {rule["record"]} if "record" in rule else set()
        used |= asked
    assert known == used


@each_alert
def test_an_alert_is_of_a_severity_that_is_routed(alert: dict[str, Any]) -> None:
    assert alert["labels"] in ({"severity": "critical"}, {"severity": "warning"})


def test_few_alerts_wake_somebody() -> None:
    waking = [it for it in alerts().values() if it["labels"]["severity"] == "critical"]
    assert len(waking) <= len(alerts()) / 4


@each_alert
def test_an_alert_says_what_it_is_and_where_its_page_is(alert: dict[str, Any]) -> None:
    words = alert["annotations"]
    assert words.keys() == {"summary", "description", "runbook_url"}
    assert words["runbook_url"] == f"{PAGES}/{kebab(alert['alert'])}.md"
    assert not words["summary"].endswith(".")
    assert words["description"].endswith(".")


@each_alert
def test_an_alert_names_only_labels_that_it_has(alert: dict[str, Any]) -> None:
    words = " ".join(alert["annotations"].values())
    named = set(re.findall(r"\$labels\.(\w+)", words))
    there = SCRAPED.union(*(labels_of(it.metric) or set() for it in selectors(alert["expr"])))
    assert named <= there | {"job"}


def test_every_alert_has_a_page_and_every_page_an_alert() -> None:
    pages = {it.stem for it in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {kebab(it) for it in alerts()}


def test_exit_codes_of_alerts_are_those_of_the_worker() -> None:
    asked = {
        int(code)
        for it in alerts().values()
        for code in re.findall(r"afterguard:container_exit:code == (\d+)", it["expr"])
    }
    assert asked == {
        ExitCode.CONFIGURATION,
        ExitCode.ENGINE_DIED,
        ExitCode.STREAM_LOST,
        ExitCode.FENCED,
    }


def test_the_objectives_seconds_are_bounds_of_the_histogram() -> None:
    bounds = next(it.buckets for it in METRICS if it.name == "time_to_intervention_seconds")
    numbers = [
        it["expr"] for it in rules() if it.get("record") == "afterguard:slo_threshold:seconds"
    ]
    assert numbers
    assert {float(it.removeprefix("vector(").removesuffix(")")) for it in numbers} <= set(bounds)


def test_events_are_overdue_when_the_workers_own_deadline_has_passed() -> None:
    from afterguard.flow.settings import JudgingSettings

    told = {
        it["labels"]["lane"]: float(it["expr"].removeprefix("vector(").removesuffix(")"))
        for it in rules()
        if it.get("record") == "afterguard:overdue_after:seconds"
    }
    deadlines = JudgingSettings().deadline_s
    assert told["live"] == deadlines[Lane.LIVE]
    assert told["standard"] == deadlines[Lane.STANDARD]
