"""Every metric that an alert looks at is exported by real workers: an alert on nothing is quiet."""

from math import isnan
from typing import Final

import pytest
from tests.ops.alerts.rule_file import RULES, Selector, name_of, rules, selectors
from tests.ops.dashboards.live import Live

# Comes into being with the first loss, which the scene does not bring about.
BEGINS_WITH_TROUBLE: Final = {"afterguard_records_skipped_by_retention_total"}
# Not ours to export; `up` is Prometheus' own.
KUBERNETES: Final = "kube_"


def asked() -> list[Selector]:
    """What the rules ask of workers, each once."""
    found = {it for rule in rules() for it in selectors(rule["expr"])}
    return sorted(
        it
        for it in found
        if not it.metric.startswith((KUBERNETES, "afterguard:"))
        and it.metric not in BEGINS_WITH_TROUBLE
    )


# The scene starts everything; it takes two minutes, more beside other work.
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_real_workers_export_all_that_alerts_look_at(live: Live) -> None:
    silent = [it.text for it in asked() if not live.query_range(it.text)]
    assert not silent


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_prometheus_evaluates_every_rule_without_a_fault(live: Live) -> None:
    groups = [
        it for it in live.prometheus.ask("rules")["groups"] if it["file"] == str(RULES.resolve())
    ]
    health = {
        rule["name"]: rule.get("lastError", "")
        for group in groups
        for rule in group["rules"]
        if rule["health"] == "err"
    }
    assert {rule["name"] for group in groups for rule in group["rules"]} == set(
        map(name_of, rules())
    )
    assert not health


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_shares_of_late_interventions_are_numbers_between_nothing_and_all(live: Live) -> None:
    series = live.query_range("afterguard:interventions_late:ratio_rate5m")
    values = [value for it in series for _, value in it.points if not isnan(value)]
    assert values
    assert all(0 <= it <= 1 for it in values)
    # Most are in time: the bucket of the threshold was found.
    assert min(values) < 1
