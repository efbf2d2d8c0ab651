"""The parts of a rendered chart that the tests of the workload look at."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from tests.ops.chart.rendered import CHART, Document, Helm, minimal, only, render

EXAMPLES: Final = sorted((CHART / "examples").glob("*.yaml"))
VLLM_FREE: Final = {"engine": {"kind": "openai", "baseUrl": "http://vllm:8000/v1"}}


def deployment(values: Mapping[str, Any] | None = None, helm: Helm = "helm3") -> Document:
    """The Deployment that these values, over the least ones, make."""
    return only(render(minimal(values), helm=helm), "Deployment")


def pod(values: Mapping[str, Any] | None = None, helm: Helm = "helm3") -> Document:
    """The spec of the worker's pod."""
    spec: Document = deployment(values, helm)["spec"]["template"]["spec"]
    return spec


def worker(values: Mapping[str, Any] | None = None, helm: Helm = "helm3") -> Document:
    """The worker's container."""
    return container(pod(values, helm), "worker")


def container(spec: Document, name: str) -> Document:
    """The container of a pod by its name."""
    return next(it for it in spec["containers"] if it["name"] == name)


def variables(of: Document) -> dict[str, Any]:
    """The variables of a container: a value, or where it comes from."""
    return {it["name"]: it.get("value", it.get("valueFrom")) for it in of["env"]}


def mounts(of: Document) -> dict[str, Document]:
    """The mounts of a container, by path."""
    return {it["mountPath"]: it for it in of["volumeMounts"]}


def volumes(spec: Document) -> dict[str, Document]:
    """The volumes of a pod, by name."""
    return {it["name"]: it for it in spec["volumes"]}


def settings_text(documents: list[Document], name: str = "afterguard-config") -> str:
    """The text of afterguard.yaml."""
    found = next(
        it for it in documents if it["kind"] == "ConfigMap" and it["metadata"]["name"] == name
    )
    text: str = found["data"]["afterguard.yaml"]
    return text


def example(path: Path) -> Document:
    """The values of an example."""
    values: Document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return values


def pods(documents: list[Document]) -> list[tuple[str, Document]]:
    """The specs of all pods, each with the name of what makes it."""
    found = []
    for it in documents:
        name = f"{it['kind']}/{it['metadata']['name']}"
        if it["kind"] == "Pod":
            found.append((name, it["spec"]))
        elif it["kind"] in {"Deployment", "Job"}:
            found.append((name, it["spec"]["template"]["spec"]))
    return found


def said(values: Mapping[str, Any]) -> str:
    """Values as a test's name."""
    return json.dumps(values)
