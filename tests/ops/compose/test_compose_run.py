"""The parts of deploy/compose.yaml that can run here, run: by name, on a network of their own.

Apache Kafka, Valkey, Prometheus and Alertmanager are stand-ins where their images cannot be pulled;
Grafana, Jaeger and the worker with a GPU do not run.
"""

import json
from time import monotonic, sleep
from urllib.request import urlopen

import pytest
from tests.balance import assert_told_in_balance
from tests.ops.compose.project import Project

# The first of them waits for the image to be built, and on a bare machine for its base.
pytestmark = pytest.mark.timeout(1_200)

WAIT_S = 90.0


@pytest.fixture(scope="module")
def running(project: Project) -> Project:
    """All of it, in the order in which each service's conditions come true."""
    for service in ("kafka", "valkey"):
        project.healthy(service)
    assert project.ended("topics") == 0, project.log("topics")
    for service in ("worker-cpu", "alertmanager", "prometheus"):
        project.healthy(service)
    project.start("traffic")
    return project


def told_by_prometheus(running: Project, query: str) -> float:
    """The first value above zero that it gives."""
    until = monotonic() + WAIT_S
    while True:
        if found := running.prometheus(query):
            value = float(found[0]["value"][1])
            if value > 0:
                return value
        if monotonic() > until:
            pytest.fail(f"{query}: {found}\n{running.log('worker-cpu')}\n{running.log('traffic')}")
        sleep(1)


def test_prometheus_finds_the_worker_by_its_name_and_sees_it_judge(running: Project) -> None:
    assert told_by_prometheus(running, 'sum(up{job="afterguard"})') == 1
    assert told_by_prometheus(running, "sum(afterguard_verdicts_total)") > 0


def test_prometheus_has_loaded_the_rules_and_reaches_alertmanager(running: Project) -> None:
    port = running.ports["PROMETHEUS"]
    with urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10) as answer:
        groups = json.load(answer)["data"]["groups"]
    assert any(rule["type"] == "alerting" for group in groups for rule in group["rules"])
    with urlopen(f"http://127.0.0.1:{port}/api/v1/alertmanagers", timeout=10) as answer:
        active = json.load(answer)["data"]["activeAlertmanagers"]
    assert [it["url"] for it in active] == ["http://alertmanager:9093/api/v2/alerts"]


def test_the_worker_keeps_its_verdicts_in_the_store_beside_it(running: Project) -> None:
    # On a busy machine it may be given up for a moment, so what it has taken is looked at.
    ask = "import redis; print(redis.Redis('valkey').dbsize())"
    python = ("exec", "-T", "worker-cpu", "/opt/afterguard/bin/python", "-c", ask)
    until = monotonic() + WAIT_S
    while int(running(*python).stdout.split()[-1]) == 0:
        assert monotonic() < until, running.log("worker-cpu")


def test_a_command_is_answered_inside_the_worker(running: Project) -> None:
    told = running("exec", "-T", "worker-cpu", "afterguard", "why", "--json")
    assert "chat.events" in told.stdout


def test_a_stop_drains_the_worker_and_its_books_balance(running: Project) -> None:
    told_by_prometheus(running, "sum(afterguard_verdicts_total)")
    running("stop", "traffic")
    assert running.exit_code("traffic") == 0, running.log("traffic")
    running("stop", "worker-cpu")
    log = running.log("worker-cpu")
    assert running.exit_code("worker-cpu") == 0, log
    ended = json.loads([it for it in log.splitlines() if it.startswith("{")][-1])
    assert ended["fates"]["admitted"] > 0
    assert_told_in_balance(ended)
