"""What holds for every object of the chart, whatever the values say."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from tests.ops.chart.matrix import VALUES
from tests.ops.chart.rendered import HELMS, Document, Helm, render

every_set = pytest.mark.parametrize("name", VALUES)
both_helms = pytest.mark.parametrize("helm", HELMS)


def containers(documents: Sequence[Document]) -> Iterator[tuple[Document, Document]]:
    """Each container with the specification of its pod."""
    for document in documents:
        pod = document.get("spec", {}).get("template", {}).get("spec")
        if document["kind"] == "Pod":
            pod = document["spec"]
        if pod is not None:
            for kind in ("initContainers", "containers"):
                for container in pod.get(kind, ()):
                    yield pod, container


def repeated(values: Sequence[Any]) -> list[Any]:
    """Those that stand there more than once."""
    return [value for value, count in Counter(values).items() if count > 1]


@every_set
def test_both_helms_make_the_same_of_it(name: str) -> None:
    old, new = (render(VALUES[name], helm=helm) for helm in HELMS)
    assert old == new


@every_set
@both_helms
def test_no_container_says_a_variable_a_port_or_a_mount_twice(name: str, helm: Helm) -> None:
    found = list(containers(render(VALUES[name], helm=helm)))
    assert found
    for _, container in found:
        assert not repeated([it["name"] for it in container.get("env", ())])
        ports = container.get("ports", ())
        assert not repeated([it["name"] for it in ports])
        assert not repeated([(it["containerPort"], it.get("protocol", "TCP")) for it in ports])
        assert not repeated([it["mountPath"] for it in container.get("volumeMounts", ())])


@every_set
def test_every_mount_has_its_volume_and_no_volume_is_named_twice(name: str) -> None:
    for pod, container in containers(render(VALUES[name])):
        volumes = [it["name"] for it in pod.get("volumes", ())]
        assert not repeated(volumes)
        assert {it["name"] for it in container.get("volumeMounts", ())} <= set(volumes)


@every_set
def test_no_object_is_made_twice_and_each_says_its_namespace(name: str) -> None:
    documents = render(VALUES[name], namespace="moderation")
    assert not repeated(
        [(it["kind"], it["metadata"]["namespace"], it["metadata"]["name"]) for it in documents]
    )
    assert {it["metadata"]["namespace"] for it in documents} == {"moderation"}


@every_set
def test_every_object_can_be_found_by_the_labels_of_its_release(name: str) -> None:
    for document in render(VALUES[name]):
        labels = document["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "afterguard"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


@pytest.mark.parametrize("name", ["all on", "service monitor", "topics made"])
def test_a_long_name_of_a_release_makes_no_name_that_is_too_long(name: str) -> None:
    for document in render(VALUES[name], name="a" * 53):
        for value in document["metadata"].get("labels", {}).values():
            assert len(value) <= 63
        # A Service's name is a label of DNS; those of pods begin with their Job's or Deployment's.
        if document["kind"] in {"Service", "Job", "Deployment"}:
            assert len(document["metadata"]["name"]) <= 63


@pytest.mark.parametrize("name", ["minimal", "all on", "service monitor"])
def test_custom_resources_are_made_only_where_they_are_asked_for(name: str) -> None:
    values = VALUES[name]
    monitoring = values.get("monitoring", {})
    wanted = {
        kind
        for kind, section in {
            "PodMonitor": monitoring.get("podMonitor", {}),
            "ServiceMonitor": monitoring.get("serviceMonitor", {}),
            "PrometheusRule": monitoring.get("prometheusRule", {}),
            "ScaledObject": values.get("autoscaling", {}).get("keda", {}),
        }.items()
        if section.get("enabled")
    }
    # What the cluster seems to serve changes nothing: a rendering without a cluster knows nothing.
    served = ("monitoring.coreos.com/v1", "keda.sh/v1alpha1")
    for documents in (render(values), render(values, api_versions=served)):
        groups = {"monitoring.coreos.com", "keda.sh"}
        made = {it["kind"] for it in documents if it["apiVersion"].split("/")[0] in groups}
        assert made - {"TriggerAuthentication"} == wanted
