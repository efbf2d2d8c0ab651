"""What operators add to pods arrives, and repeats nothing."""

from typing import Any

import pytest
from tests.ops.chart.rendered import HELMS, Document, Helm, minimal, of_kind, only, render
from tests.ops.chart.workload import EXAMPLES, container, deployment, example, pod, pods

pytestmark = pytest.mark.parametrize("helm", HELMS)

PASSED: dict[str, Any] = {
    "nodeSelector": {"gpu": "h100"},
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "important",
    "runtimeClassName": "nvidia",
    "schedulerName": "kueue",
}
FULL: dict[str, Any] = {
    **PASSED,
    "image": {"pullSecrets": [{"name": "registry"}]},
    "commonLabels": {"team": "safety"},
    "podLabels": {"tier": "gpu"},
    "podAnnotations": {"note": "x"},
    "extraEnv": [{"name": "MINE", "value": "1"}],
    "extraEnvFrom": [{"secretRef": {"name": "more"}}],
    "extraVolumes": [{"name": "classifiers", "configMap": {"name": "classifiers"}}],
    "extraVolumeMounts": [{"name": "classifiers", "mountPath": "/etc/afterguard/classifiers"}],
    "extraInitContainers": [{"name": "fetch", "image": "fetch:1"}],
    "extraContainers": [
        {"name": "proxy", "image": "proxy:1", "ports": [{"name": "p", "containerPort": 8443}]}
    ],
    "topics": {"createJob": {"enabled": True}},
    "redis": {"existingSecret": "address", "urlKey": "url"},
    "policies": {"files": {"harassment.md": "text"}},
}


def test_what_places_a_pod_is_passed_on(helm: Helm) -> None:
    spec = pod(PASSED, helm)
    assert {name: spec[name] for name in PASSED} == PASSED


def test_workers_are_spread_over_workers_unless_said_otherwise(helm: Helm) -> None:
    mine = {"labelSelector": {"matchLabels": {"a": "b"}}, "topologyKey": "zone", "maxSkew": 1}
    constraint = {"topologyKey": "kubernetes.io/hostname", "maxSkew": 1}
    values = {"topologySpreadConstraints": [constraint, mine]}
    made = deployment(values, helm)["spec"]
    first, second = made["template"]["spec"]["topologySpreadConstraints"]
    assert first["labelSelector"] == made["selector"]
    assert second == mine


def test_additions_stand_behind_what_is_ours(helm: Helm) -> None:
    documents = render(minimal(FULL), helm=helm)
    template = only(documents, "Deployment")["spec"]["template"]
    spec = template["spec"]
    worker = container(spec, "worker")
    assert worker["env"][-1] == {"name": "MINE", "value": "1"}
    assert worker["envFrom"] == FULL["extraEnvFrom"]
    assert worker["volumeMounts"][-1] == FULL["extraVolumeMounts"][0]
    assert spec["volumes"][-1] == FULL["extraVolumes"][0]
    assert spec["initContainers"] == FULL["extraInitContainers"]
    assert spec["containers"][1:] == FULL["extraContainers"]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert template["metadata"]["labels"].items() >= {"team": "safety", "tier": "gpu"}.items()
    assert template["metadata"]["annotations"]["note"] == "x"
    assert all(it["metadata"]["labels"]["team"] == "safety" for it in documents)


def repeated(items: list[Any]) -> list[Any]:
    return [it for it in items if items.count(it) > 1]


def repeats(spec: Document) -> list[Any]:
    """What stands twice in a pod where Kubernetes takes it once."""
    found = repeated([it["name"] for it in spec["containers"]])
    found += repeated([it["name"] for it in spec.get("volumes", [])])
    ports = [port for it in spec["containers"] for port in it.get("ports", [])]
    found += repeated([it["containerPort"] for it in ports])
    found += repeated([it["name"] for it in ports if "name" in it])
    for it in spec["containers"]:
        found += repeated([variable["name"] for variable in it.get("env", [])])
        found += repeated([mount["mountPath"] for mount in it.get("volumeMounts", [])])
        unknown = {mount["name"] for mount in it.get("volumeMounts", [])}
        found += sorted(unknown - {volume["name"] for volume in spec.get("volumes", [])})
    return found


@pytest.mark.parametrize(
    "values", [minimal(), minimal(FULL), *map(example, EXAMPLES)],
    ids=["least", "all", *(path.stem for path in EXAMPLES)],
)  # fmt: skip
def test_nothing_stands_twice_in_a_pod(helm: Helm, values: Document) -> None:
    specs = pods(render(values, helm=helm))
    assert specs
    assert {name: repeats(spec) for name, spec in specs} == {name: [] for name, _ in specs}


def test_a_service_account_of_yours_is_used(helm: Helm) -> None:
    values = {
        "serviceAccount": {"create": False, "name": "mine"},
        "topics": {"createJob": {"enabled": True}},
    }
    documents = render(minimal(values), helm=helm)
    assert not of_kind(documents, "ServiceAccount")
    assert [spec["serviceAccountName"] for _, spec in pods(documents)] == ["mine"] * 3


def test_the_job_asks_for_no_account_that_is_not_there_yet(helm: Helm) -> None:
    documents = render(minimal({"topics": {"createJob": {"enabled": True}}}), helm=helm)
    assert "serviceAccountName" not in only(documents, "Job")["spec"]["template"]["spec"]


def test_the_job_makes_the_topics_before_the_workers_come(helm: Helm) -> None:
    values = {
        "topics": {"partitions": 24, "replication": 3, "createJob": {"enabled": True}},
        "policies": {"files": {"harassment.md": "text"}},
    }
    documents = render(minimal(values), helm=helm)
    job = only(documents, "Job")
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    made = container(job["spec"]["template"]["spec"], "topics")
    assert made["args"] == ["topics", "create", "--partitions", "24", "--replication", "3"]
    # What it mounts comes with it, and before it: the objects of the release are made later.
    hook, weight = "helm.sh/hook", "helm.sh/hook-weight"
    when = job["metadata"]["annotations"]
    brought = {
        it["metadata"]["name"]
        for it in of_kind(documents, "ConfigMap")
        if it["metadata"].get("annotations", {}).get(hook) == when[hook]
        and int(it["metadata"]["annotations"][weight]) < int(when[weight])
    }
    wanted = {
        it["configMap"]["name"]
        for it in job["spec"]["template"]["spec"]["volumes"]
        if "configMap" in it
    }
    assert wanted == brought


def test_extra_objects_may_be_maps_or_templates(helm: Helm) -> None:
    values = {
        "extraObjects": [
            {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "one"}},
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}-two\n",
        ]
    }
    secrets = of_kind(render(minimal(values), helm=helm), "Secret")
    assert [it["metadata"]["name"] for it in secrets] == ["one", "afterguard-two"]


def test_names_that_are_too_long_are_cut(helm: Helm) -> None:
    documents = render(minimal({"fullnameOverride": "x" * 80, **FULL}), helm=helm)
    assert all(len(it["metadata"]["name"]) <= 63 for it in documents)
