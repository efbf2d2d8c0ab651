"""How workers are replaced, ended, watched and confined."""

from typing import Any

import pytest
from tests.ops.chart.rendered import HELMS, Helm, minimal, of_kind, render
from tests.ops.chart.workload import VLLM_FREE, deployment, mounts, pod, pods, variables, worker

pytestmark = pytest.mark.parametrize("helm", HELMS)

EVERYTHING: dict[str, Any] = {
    "topics": {"createJob": {"enabled": True}},
    "networkPolicy": {"enabled": True, "modelHub": True},
    "model": {"cache": {"type": "newClaim"}},
}


def test_brokers_are_all_that_must_be_said(helm: Helm) -> None:
    kinds = sorted(it["kind"] for it in render(minimal(), helm=helm))
    assert kinds == ["ConfigMap", "Deployment", "Pod", "PodDisruptionBudget", "ServiceAccount"]


def test_a_rollout_needs_no_free_gpu(helm: Helm) -> None:
    strategy = deployment(helm=helm)["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}


def test_recreate_can_be_chosen(helm: Helm) -> None:
    chosen = deployment({"strategy": {"type": "Recreate"}}, helm)
    assert chosen["spec"]["strategy"] == {"type": "Recreate"}


def test_the_number_of_workers_is_left_to_keda_where_it_owns_it(helm: Helm) -> None:
    values = {"autoscaling": {"keda": {"enabled": True}}, "topics": {"partitions": 4}}
    assert "replicas" not in deployment(values, helm)["spec"]
    assert deployment({"replicaCount": 3}, helm)["spec"]["replicas"] == 3


def test_no_worker_has_a_name_in_the_group_that_another_could_have(helm: Helm) -> None:
    names = variables(worker(helm=helm))
    assert not any("GROUP_INSTANCE" in name for name in names)


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({}, 90),
        ({"delivery": {"drain_timeout_s": 120.5}}, 181),
        ({"delivery": {"drain_timeout_s": 60}, "engine": {"stop_timeout_s": 30}}, 130),
        ({"tracing": {"enabled": True, "flush_timeout_s": 7}}, 97),
    ],
)
def test_a_pod_waits_for_drain_and_engine(helm: Helm, settings: Any, needed: int) -> None:
    assert pod({"settings": settings}, helm)["terminationGracePeriodSeconds"] == needed


def test_sigterm_reaches_the_worker_at_once(helm: Helm) -> None:
    container = worker(helm=helm)
    assert "lifecycle" not in container  # no Service feeds it: nothing to wait for
    assert "command" not in container  # the image's own entry hands signals on
    assert container["args"] == ["run"]


def test_a_start_may_take_half_an_hour(helm: Helm) -> None:
    probe = worker(helm=helm)["startupProbe"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (10, 180)
    assert probe["httpGet"] == {"path": "/readyz", "port": "http"}


def test_liveness_asks_for_progress_and_readiness_for_readiness(helm: Helm) -> None:
    container = worker(helm=helm)
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_no_probe_waits_blindly(helm: Helm) -> None:
    container = worker(helm=helm)
    probes = [container[f"{name}Probe"] for name in ("startup", "liveness", "readiness")]
    assert not any("initialDelaySeconds" in probe for probe in probes)


@pytest.mark.parametrize("threshold", [180, 400])
def test_a_rollout_does_not_fail_while_a_model_loads(helm: Helm, threshold: int) -> None:
    spec = deployment({"startupProbe": {"failureThreshold": threshold}}, helm)["spec"]
    grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]
    assert spec["progressDeadlineSeconds"] > threshold * 10 + grace


def test_every_pod_runs_without_rights(helm: Helm) -> None:
    specs = pods(render(minimal(EVERYTHING), helm=helm))
    assert len(specs) == 3
    for _, spec in specs:
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["runAsGroup"] == 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_no_pod_has_a_token_of_the_api(helm: Helm) -> None:
    documents = render(minimal(EVERYTHING), helm=helm)
    assert all(spec["automountServiceAccountToken"] is False for _, spec in pods(documents))
    accounts = of_kind(documents, "ServiceAccount")
    assert accounts
    assert all(it["automountServiceAccountToken"] is False for it in accounts)


def test_no_service_of_the_namespace_sets_variables(helm: Helm) -> None:
    specs = pods(render(minimal(EVERYTHING), helm=helm))
    assert all(spec["enableServiceLinks"] is False for _, spec in specs)


def test_every_pod_says_how_much_it_needs(helm: Helm) -> None:
    for _, spec in pods(render(minimal(EVERYTHING), helm=helm)):
        for container in spec["containers"]:
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


def test_what_is_written_goes_to_volumes(helm: Helm) -> None:
    container = worker(helm=helm)
    writable = [path for path, it in mounts(container).items() if not it.get("readOnly")]
    assert sorted(writable) == ["/cache", "/cache/huggingface", "/dev/shm", "/tmp"]
    named = variables(container)
    folders = {name: path for name, path in named.items() if str(path).startswith("/")}
    del folders["AFTERGUARD_CONFIG"]
    assert all(path.startswith("/cache/") for path in folders.values())
    assert folders.keys() >= {
        "HOME",
        "HF_HOME",
        "VLLM_CACHE_ROOT",
        "VLLM_CONFIG_ROOT",
        "TRITON_CACHE_DIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "NUMBA_CACHE_DIR",
        "XDG_CACHE_HOME",
        "XDG_CONFIG_HOME",
    }


def test_nothing_is_told_to_makers_of_packages(helm: Helm) -> None:
    named = variables(worker(helm=helm))
    assert named["VLLM_NO_USAGE_STATS"] == "1"
    assert named["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert named["DO_NOT_TRACK"] == "1"


def test_a_change_of_settings_or_policies_replaces_the_workers(helm: Helm) -> None:
    def sums(values: dict[str, Any]) -> dict[str, str]:
        notes: dict[str, str] = deployment(values, helm)["spec"]["template"]["metadata"][
            "annotations"
        ]
        return notes

    first = sums({"policies": {"files": {"a.md": "one"}}})
    settings = sums(
        {"policies": {"files": {"a.md": "one"}}, "settings": {"log": {"level": "debug"}}}
    )
    policies = sums({"policies": {"files": {"a.md": "two"}}})
    assert settings["checksum/config"] != first["checksum/config"]
    assert settings["checksum/policies"] == first["checksum/policies"]
    assert policies["checksum/policies"] != first["checksum/policies"]


def test_a_new_version_of_the_chart_alone_replaces_no_worker(helm: Helm) -> None:
    labels = deployment(helm=helm)["spec"]["template"]["metadata"]["labels"]
    assert "helm.sh/chart" not in labels


def test_one_worker_at_a_time_may_be_evicted(helm: Helm) -> None:
    documents = render(minimal(), helm=helm)
    budget = of_kind(documents, "PodDisruptionBudget")[0]["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget
    labels = of_kind(documents, "Deployment")[0]["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_a_budget_of_a_least_number_is_taken_alone(helm: Helm) -> None:
    values = {
        "replicaCount": 3,
        "podDisruptionBudget": {"maxUnavailable": None, "minAvailable": 2},
    }
    budget = of_kind(render(minimal(values), helm=helm), "PodDisruptionBudget")[0]["spec"]
    assert budget["minAvailable"] == 2
    assert "maxUnavailable" not in budget


def test_selectors_of_workers_choose_no_other_pod(helm: Helm) -> None:
    documents = render(minimal(EVERYTHING), helm=helm)
    selector = of_kind(documents, "Deployment")[0]["spec"]["selector"]["matchLabels"]
    job = of_kind(documents, "Job")[0]["spec"]["template"]["metadata"]["labels"]
    test = of_kind(documents, "Pod")[0]["metadata"]["labels"]
    assert not selector.items() <= job.items()
    assert not selector.items() <= test.items()


def test_a_worker_without_an_engine_has_neither_model_nor_shared_memory(helm: Helm) -> None:
    container = worker(VLLM_FREE, helm)
    assert sorted(mounts(container)) == ["/cache", "/etc/afterguard/afterguard.yaml", "/tmp"]
    assert container["image"].endswith("-cpu")
