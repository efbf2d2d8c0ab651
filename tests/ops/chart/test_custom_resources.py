"""Every custom resource of every set of values against the definitions of their makers."""

import copy
from typing import Any, Final

from tests.ops.chart.custom_resources import KINDS, faults
from tests.ops.chart.matrix import VALUES
from tests.ops.chart.rendered import Document, only, render


def custom_resources() -> dict[str, Document]:
    return {
        f"{name}: {it['kind']}": it
        for name, values in VALUES.items()
        for it in render(values)
        if it["kind"] in KINDS
    }


def test_each_is_as_its_makers_define_it() -> None:
    objects = custom_resources()
    assert {it["kind"] for it in objects.values()} == set(KINDS)
    assert faults(objects) == {}


def _put(document: Document, path: str, value: Any) -> Document:
    changed = copy.deepcopy(document)
    at: Any = changed
    *way, last = path.split("/")
    for step in way:
        at = at[int(step) if step.isdecimal() else step]
    at[last] = value
    return changed


BROKEN: Final[dict[str, list[tuple[str, Any]]]] = {
    "ScaledObject": [
        ("spec/maxReplicas", 3),
        ("spec/maxReplicaCount", "3"),
        ("spec/fallback/behavior", "whatever"),
        ("spec/triggers/0/metadata/lagThreshold", 100),
        ("spec/advanced/horizontalPodAutoscalerConfig/behaviour", {}),
    ],
    "TriggerAuthentication": [("spec/secretTargetRefs", []), ("spec/secretTargetRef/0/secret", "")],
    "PodMonitor": [
        ("spec/podMetricsEndpoints/0/interval", "15 seconds"),
        ("spec/podMetricsEndpoints/0/paths", "/metrics"),
    ],
    "PrometheusRule": [
        ("spec/groups/0/rules/0/severity", "page"),
        ("spec/groups/0/interval", "often"),
    ],
}


def test_a_field_that_does_not_exist_and_a_value_that_is_none_are_found() -> None:
    broken = {
        f"{kind} {path}": _put(only(render(VALUES["all on"]), kind), path, value)
        for kind, changes in BROKEN.items()
        for path, value in changes
    }
    assert set(faults(broken)) == set(broken)
