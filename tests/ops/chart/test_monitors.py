"""Workers are read by Prometheus: each once, whatever state it is in."""

from collections.abc import Sequence
from typing import Any

import pytest
from tests.ops.chart.rendered import Document, minimal, of_kind, only, refused, render


def monitored(kind: str, **said: Any) -> list[Document]:
    return render(minimal({"monitoring": {kind: {"enabled": True, **said}}}))


def worker(documents: Sequence[Document]) -> Document:
    """The pods' template."""
    return dict(only(documents, "Deployment")["spec"]["template"])


def port_of(documents: Sequence[Document]) -> str:
    (port,) = worker(documents)["spec"]["containers"][0]["ports"]
    return str(port["name"])


def test_a_pod_monitor_finds_the_workers_and_their_port() -> None:
    documents = monitored("podMonitor")
    spec = only(documents, "PodMonitor")["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    assert wanted <= worker(documents)["metadata"]["labels"].items()
    assert spec["podMetricsEndpoints"] == [{"port": port_of(documents), "path": "/metrics"}]
    assert not of_kind(documents, "Service")


def test_a_service_monitor_finds_a_service_that_lists_workers_in_any_state() -> None:
    documents = monitored("serviceMonitor")
    service, spec = only(documents, "Service"), only(documents, "ServiceMonitor")["spec"]
    wanted = spec["selector"]["matchLabels"].items()
    assert wanted <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= worker(documents)["metadata"]["labels"].items()
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"] is True
    (port,) = service["spec"]["ports"]
    assert port["targetPort"] == port_of(documents)
    assert spec["endpoints"] == [{"port": port["name"], "path": "/metrics"}]


@pytest.mark.parametrize(
    ("kind", "made", "endpoints"),
    [
        ("podMonitor", "PodMonitor", "podMetricsEndpoints"),
        ("serviceMonitor", "ServiceMonitor", "endpoints"),
    ],
)
def test_all_that_is_said_of_a_monitor_arrives(kind: str, made: str, endpoints: str) -> None:
    rules = [{"action": "labeldrop", "regex": "endpoint"}]
    monitor = only(
        monitored(
            kind,
            apiVersion="azmonitoring.coreos.com/v1",
            labels={"release": "prometheus"},
            annotations={"note": "ours"},
            interval="15s",
            scrapeTimeout="10s",
            jobLabel="app.kubernetes.io/name",
            podTargetLabels=["team"],
            relabelings=rules,
            metricRelabelings=rules,
        ),
        made,
    )
    assert monitor["apiVersion"] == "azmonitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["metadata"]["annotations"] == {"note": "ours"}
    assert monitor["spec"]["jobLabel"] == "app.kubernetes.io/name"
    assert monitor["spec"]["podTargetLabels"] == ["team"]
    (endpoint,) = monitor["spec"][endpoints]
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == ("15s", "10s")
    assert endpoint["relabelings"] == endpoint["metricRelabelings"] == rules


def test_workers_are_not_read_twice() -> None:
    both = {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}}
    assert "read twice" in refused(minimal({"monitoring": both}))


def test_an_interval_that_is_none_is_refused() -> None:
    said = {"podMonitor": {"enabled": True, "interval": "often"}}
    assert "interval" in refused(minimal({"monitoring": said}))
