"""Alerts and dashboards of deploy/ reach the cluster as they are, but for what values change."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.ops.chart.rendered import CHART, Document, minimal, of_kind, only, refused, render
from tests.ops.fetched import tool

DEPLOY: Final = CHART.parents[1] / "deploy"
ALERTS: Final = DEPLOY / "prometheus" / "alerts.yaml"
MIB: Final = 1024 * 1024


def rule(**said: Any) -> Document:
    values = minimal({"monitoring": {"prometheusRule": {"enabled": True, **said}}})
    return only(render(values), "PrometheusRule")


def rules(prometheus_rule: Document) -> list[Document]:
    return [it for group in prometheus_rule["spec"]["groups"] for it in group["rules"]]


def alerts(**said: Any) -> dict[str, Document]:
    return {it["alert"]: it for it in rules(rule(**said)) if "alert" in it}


def ours() -> dict[str, Document]:
    """The alerts of the file."""
    groups = yaml.safe_load(ALERTS.read_text())["groups"]
    return {it["alert"]: it for group in groups for it in group["rules"] if "alert" in it}


ONE, OTHER = sorted(ours())[:2]


def test_all_groups_arrive_word_for_word_templates_of_prometheus_included() -> None:
    made = rule()["spec"]["groups"]
    assert made == yaml.safe_load(ALERTS.read_text())["groups"]
    assert "{{ $labels" in json.dumps(made)


def test_prometheus_takes_them_also_when_everything_is_changed(tmp_path: Path) -> None:
    changed = rule(
        additionalRuleLabels={"team": "safety"},
        alerts={ONE: {"severity": "page", "for": "3m"}, OTHER: {"enabled": False}},
        objectives={"afterguard:slo_objective:ratio": 0.995},
        extraGroups=[{"name": "more", "rules": [{"record": "a:b", "expr": "1"}]}],
    )
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(changed["spec"]))
    done = subprocess.run(
        [tool("promtool"), "check", "rules", "rules.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_one_alert_is_changed_and_no_other() -> None:
    made, file = alerts(alerts={ONE: {"severity": "page", "for": "3m"}}), ours()
    assert (made[ONE]["labels"]["severity"], made[ONE]["for"]) == ("page", "3m")
    assert made[ONE]["expr"] == file[ONE]["expr"]
    assert {name: it for name, it in made.items() if name != ONE} == {
        name: it for name, it in file.items() if name != ONE
    }


def test_one_alert_is_left_out_and_no_other() -> None:
    assert set(alerts(alerts={ONE: {"enabled": False}})) == set(ours()) - {ONE}


def test_every_alert_gets_the_labels_and_annotations_that_were_said_and_no_record_does() -> None:
    said = {"additionalRuleLabels": {"team": "x"}, "additionalRuleAnnotations": {"chat": "#ts"}}
    for it in rules(rule(**said)):
        if "alert" in it:
            assert it["labels"]["team"] == "x"
            assert it["labels"]["severity"]
            assert it["annotations"]["chat"] == "#ts"
        else:
            assert "team" not in it.get("labels", {})


def test_runbooks_may_stand_elsewhere_under_the_same_names() -> None:
    made = alerts(runbookUrl="https://wiki.example/runbooks")
    for name, it in ours().items():
        page = it["annotations"]["runbook_url"].rpartition("/")[2]
        assert made[name]["annotations"]["runbook_url"] == f"https://wiki.example/runbooks/{page}"


def test_an_objective_is_another_number_in_its_lane_alone() -> None:
    before = {json.dumps(it) for it in rules(rule())}
    said = {"afterguard:slo_objective:ratio": 0.995, "afterguard:overdue_after:seconds/live": 120}
    after = {json.dumps(it) for it in rules(rule(objectives=said))}
    assert sorted(json.loads(it)["expr"] for it in after - before) == [
        "vector(0.995)",
        "vector(120)",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"alerts": {"AfterguardTypo": {"enabled": False}}}, "there is no alert AfterguardTypo"),
        ({"objectives": {"afterguard:typo": 1}}, "there is no afterguard:typo"),
        ({"alerts": {ONE: {"severity": "page", "form": "3m"}}}, "form"),
        ({"runbookUrl": "https://wiki.example/"}, "runbookUrl"),
    ],
)
def test_what_would_change_nothing_is_refused(said: dict[str, Any], told: str) -> None:
    assert told in refused(minimal({"monitoring": {"prometheusRule": {"enabled": True, **said}}}))


def test_rules_stand_where_prometheus_looks_for_them() -> None:
    made = rule(namespace="monitoring", labels={"release": "prometheus"})["metadata"]
    assert (made["namespace"], made["labels"]["release"]) == ("monitoring", "prometheus")


def dashboards(**said: Any) -> list[Document]:
    values = minimal({"monitoring": {"dashboards": {"enabled": True, **said}}})
    return [
        it for it in of_kind(render(values), "ConfigMap") if "-dashboard-" in it["metadata"]["name"]
    ]


def test_every_dashboard_arrives_byte_for_byte_and_small_enough_for_a_config_map() -> None:
    made: dict[str, str] = {}
    for it in dashboards():
        made |= it["data"]
        assert len(json.dumps(it)) < MIB
    assert made == {f"afterguard-{it.name}": it.read_text() for it in DEPLOY.glob("grafana/*.json")}
    assert made


def test_the_sidecar_finds_dashboards_by_label_and_chooses_their_folder_by_annotation() -> None:
    for it in dashboards():
        assert it["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert it["metadata"]["annotations"] == {"grafana_folder": "Afterguard"}
    said = {"labels": {"board": "yes"}, "folderAnnotation": "k8s-sidecar-target-directory"}
    for it in dashboards(**said, folder="/tmp/safety", namespace="grafana"):
        assert it["metadata"]["labels"]["board"] == "yes"
        assert it["metadata"]["annotations"] == {"k8s-sidecar-target-directory": "/tmp/safety"}
        assert it["metadata"]["namespace"] == "grafana"
    assert all("annotations" not in it["metadata"] for it in dashboards(folder=""))
