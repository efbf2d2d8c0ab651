"""The chart as Helm renders it: parsed documents, or the sentence it refuses with.

Every rendering is kept by its arguments, so that tests may ask for the same one as often as they
like. Documents are copies: a test may change them.
"""

import copy
import json
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, cast

import yaml
from tests.ops.fetched import tool

Helm = Literal["helm3", "helm4"]
Document = dict[str, Any]

HELMS: Final[tuple[Helm, ...]] = ("helm3", "helm4")
CHART: Final = Path(__file__).parents[3] / "helm" / "afterguard"
# What a chart cannot be installed without; `minimal()` adds to it.
MINIMAL: Final[Document] = {"kafka": {"bootstrapServers": "kafka:9092"}}


class OnceOnly(yaml.CSafeLoader):
    """Refuses a mapping that says a key twice: Kubernetes would, and YAML would not tell."""


def _mapping(loader: OnceOnly, node: yaml.MappingNode) -> Document:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            raise AssertionError(f"key {key.value!r} stands twice in one mapping:{key.start_mark}")
        seen.add(key.value)
    loader.flatten_mapping(node)
    return cast("Document", loader.construct_mapping(node, deep=True))


OnceOnly.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def render(
    values: Mapping[str, Any],
    *,
    helm: Helm = "helm3",
    kube_version: str | None = None,
    api_versions: Sequence[str] = (),
    name: str = "afterguard",
    namespace: str = "moderation",
    chart: Path = CHART,
) -> list[Document]:
    """What the chart makes of these values.

    Args:
        values: as in a values file; nothing is added to them (`minimal` does).
        helm: which of the two that are supported.
        kube_version: of the cluster that is pretended, such as `1.31`; Helm's own without.
        api_versions: what the cluster is pretended to serve, such as `keda.sh/v1alpha1`.
        name: of the release.
        namespace: of the release.
        chart: a folder or a .tgz.

    Returns:
        The documents, in Helm's order, each one a copy.

    Raises:
        AssertionError: when Helm refuses, with what it says.
    """
    release = (name, namespace, str(chart))
    ok, text = _template(json.dumps(values), helm, kube_version, tuple(api_versions), release)
    assert ok, f"{helm} refuses the chart: {text}"
    return copy.deepcopy(_parsed(text))


def refused(
    values: Mapping[str, Any],
    *,
    helm: Helm = "helm3",
    kube_version: str | None = None,
    chart: Path = CHART,
) -> str:
    """What the chart says when it refuses these values.

    Raises:
        AssertionError: when it does not refuse them.
    """
    release = ("afterguard", "moderation", str(chart))
    ok, text = _template(json.dumps(values), helm, kube_version, (), release)
    assert not ok, f"{helm} renders what should be refused: {json.dumps(values)}"
    return text


def minimal(values: Mapping[str, Any] | None = None) -> Document:
    """The least that the chart can be installed with, and these values over it."""
    return merged(MINIMAL, values or {})


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Document:
    """Values over values, as Helm merges files: maps by key, all else replaced."""
    result: Document = copy.deepcopy(dict(below))
    for key, value in above.items():
        held = result.get(key)
        if isinstance(held, Mapping) and isinstance(value, Mapping):
            result[key] = merged(held, value)
        else:
            result[key] = copy.deepcopy(value)
    return result


def of_kind(documents: Sequence[Document], kind: str) -> list[Document]:
    """Those of one kind."""
    return [it for it in documents if it["kind"] == kind]


def only(documents: Sequence[Document], kind: str) -> Document:
    """The one of its kind."""
    found = of_kind(documents, kind)
    assert len(found) == 1, f"{len(found)} of kind {kind}, not one"
    return found[0]


@cache
def _template(
    values: str,
    helm: str,
    kube_version: str | None,
    api_versions: tuple[str, ...],
    release: tuple[str, str, str],
) -> tuple[bool, str]:
    name, namespace, chart = release
    command = [str(tool(helm)), "template", name, chart, "--namespace", namespace, "--values", "-"]
    if kube_version is not None:
        command += ["--kube-version", kube_version]
    for served in api_versions:
        command += ["--api-versions", served]
    done = subprocess.run(command, input=values, capture_output=True, text=True, check=False)
    return (True, done.stdout) if done.returncode == 0 else (False, done.stderr.strip())


@cache
def _parsed(text: str) -> list[Document]:
    return [it for it in yaml.load_all(text, Loader=OnceOnly) if it]
