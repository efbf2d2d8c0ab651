"""The example for Alertmanager: taken by it, routes by severity, silences nothing that wakes."""

import re
import subprocess
from typing import Any, Final

import pytest
import yaml
from tests.ops.alerts.rule_file import FOLDER, alerts
from tests.ops.fetched import tool

CONFIG: Final = FOLDER / "alertmanager.yaml"
SOURCES: Final = ("source_matchers", "target_matchers")


def amtool(*said: str) -> str:
    done = subprocess.run(
        [tool("amtool"), *said], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def config() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    return loaded


def receiver(**labels: str) -> str:
    told = [f"{name}={value}" for name, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={CONFIG}", *told).strip()


def matching(matchers: list[str], alert: str) -> bool:
    """Whether an alert, by its name and severity, is among what these matchers mean."""
    labels = {"alertname": alert, "severity": alerts()[alert]["labels"]["severity"]}
    for it in matchers:
        found = re.fullmatch(r'(\w+) (=~|!=|=) "?([^"]*)"?', it)
        assert found, it
        name, kind, value = found.groups()
        same = re.fullmatch(value if kind == "=~" else re.escape(value), labels[name])
        if bool(same) == (kind == "!="):
            return False
    return True


def test_alertmanager_takes_it() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_reaches_whom_its_severity_means(alert: str) -> None:
    severity = alerts()[alert]["labels"]["severity"]
    expected = {"critical": "wake-somebody", "warning": "work-for-the-day"}[severity]
    assert receiver(alertname=alert, severity=severity, job="afterguard") == expected


def test_warnings_about_a_policy_reach_those_who_own_policies() -> None:
    told = {"alertname": "AfterguardViolationRateChanged", "severity": "warning", "policy": "hate"}
    assert receiver(**told) == "trust-and-safety"


def test_what_nobody_foresaw_reaches_somebody() -> None:
    assert receiver(alertname="AfterguardNew", severity="page") == "work-for-the-day"
    assert receiver(alertname="SomethingElse") == "work-for-the-day"


def test_silencing_names_alerts_that_exist() -> None:
    named = {
        name
        for rule in config()["inhibit_rules"]
        for side in SOURCES
        for it in rule[side]
        if it.startswith("alertname")
        for name in re.findall(r"Afterguard\w+", it)
    }
    assert named <= alerts().keys()


def test_a_page_is_silenced_only_when_no_worker_is_seen() -> None:
    for rule in config()["inhibit_rules"]:
        hushed = [it for it in alerts() if matching(rule["target_matchers"], it)]
        assert hushed
        if any(alerts()[it]["labels"]["severity"] == "critical" for it in hushed):
            assert rule["source_matchers"] == ["alertname = AfterguardWorkersGone"]


def test_nothing_silences_itself() -> None:
    for rule in config()["inhibit_rules"]:
        both = [it for it in alerts() if all(matching(rule[side], it) for side in SOURCES)]
        assert not both


def test_silencing_stays_within_a_deployment() -> None:
    for rule in config()["inhibit_rules"]:
        assert {"cluster", "namespace", "job"} <= set(rule["equal"])


def test_secrets_stand_in_files() -> None:
    text = CONFIG.read_text(encoding="utf-8")
    assert not re.search(r"\b(routing_key|service_key|api_url|url|password|token):", text)
    assert len(re.findall(r"_file: /etc/alertmanager/secrets/", text)) == 3
