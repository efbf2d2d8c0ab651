"""Each example renders, says first what to create, and gives the worker settings that it takes."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ops.chart.rendered import CHART, HELMS, Helm, of_kind, only, render
from tests.ops.chart.workload import (
    EXAMPLES,
    container,
    example,
    mounts,
    settings_text,
    variables,
    volumes,
)

from afterguard.settings import ENV_PREFIX, load_settings

of_each = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def spec_of(name: str, helm: Helm = "helm3") -> dict[str, Any]:
    documents = render(example(CHART / "examples" / f"{name}.yaml"), helm=helm)
    spec: dict[str, Any] = only(documents, "Deployment")["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("helm", HELMS)
@of_each
def test_an_example_gives_settings_that_the_worker_takes(
    helm: Helm, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(variable)
    documents = render(example(path), helm=helm)
    worker = container(only(documents, "Deployment")["spec"]["template"]["spec"], "worker")
    for variable, value in variables(worker).items():
        if variable.startswith(ENV_PREFIX) and variable != "AFTERGUARD_CONFIG":
            monkeypatch.setenv(variable, value if isinstance(value, str) else "from-the-secret")
    file = tmp_path / "afterguard.yaml"
    file.write_text(settings_text(documents), encoding="utf-8")
    assert load_settings(file).kafka.bootstrap_servers == example(path)["kafka"]["bootstrapServers"]


@of_each
def test_an_example_says_first_what_to_create(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    said = re.split(r"^[^#\n]", text, maxsplit=1, flags=re.MULTILINE)[0]
    assert "Create first" in said


@of_each
def test_an_example_names_no_image_without_a_version(path: Path) -> None:
    documents = render(example(path))
    for it in of_kind(documents, "Deployment"):
        for made in it["spec"]["template"]["spec"]["containers"]:
            assert re.search(r":[^/:]+$", made["image"])
            assert not made["image"].endswith(":latest")


def test_every_example_is_in_the_readme() -> None:
    readme = (CHART / "README.md").read_text(encoding="utf-8")
    assert all(f"(examples/{path.name})" in readme for path in EXAMPLES)


def test_strimzi_trusts_the_clusters_ca_and_not_that_of_the_clients() -> None:
    spec = spec_of("strimzi-tls")
    sources = volumes(spec)["kafka-credentials"]["projected"]["sources"]
    held = [(it["secret"]["name"], it["secret"]["items"][0]["key"]) for it in sources]
    assert ("events-cluster-ca-cert", "ca.crt") in held
    assert ("afterguard", "ca.crt") not in held
    assert {("afterguard", "user.crt"), ("afterguard", "user.key")} <= set(held)


def test_a_cluster_without_a_way_out_is_asked_for_none() -> None:
    values = example(CHART / "examples/airgapped.yaml")
    documents = render(values)
    rules = only(documents, "NetworkPolicy")["spec"]["egress"]
    assert 443 not in [port["port"] for rule in rules for port in rule["ports"]]
    worker = container(only(documents, "Deployment")["spec"]["template"]["spec"], "worker")
    assert variables(worker)["HF_HUB_OFFLINE"] == "1"
    assert worker["image"].startswith("registry.internal/")


def test_the_large_model_has_two_gpus_and_shared_memory_between_them() -> None:
    documents = render(example(CHART / "examples/120b-two-gpus.yaml"))
    settings = yaml.safe_load(settings_text(documents))
    worker = container(only(documents, "Deployment")["spec"]["template"]["spec"], "worker")
    assert settings["engine"]["args"]["tensor_parallel_size"] == 2
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == 2
    assert "/dev/shm" in mounts(worker)


def test_workers_at_a_server_ask_for_no_gpu() -> None:
    worker = container(spec_of("openai-server"), "worker")
    assert not any("gpu" in name for name in worker["resources"]["limits"])


def test_keda_has_the_number_of_workers() -> None:
    documents = render(example(CHART / "examples/keda.yaml"))
    assert "replicas" not in only(documents, "Deployment")["spec"]
    assert of_kind(documents, "ScaledObject")
