"""Every object against the schemas of the oldest and the newest Kubernetes that is supported."""

import copy
import json
import re
from functools import cache
from typing import Final

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils
from tests.ops.chart.matrix import VALUES
from tests.ops.chart.rendered import CHART, Document, minimal, only, refused, render

# Objects of others' making, which no schema of Kubernetes describes: test_custom_resources.py.
CUSTOM: Final = frozenset(
    {"PodMonitor", "ServiceMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}
)


def oldest() -> str:
    """What the chart says it needs."""
    said = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    found = re.match(r">=(\d+\.\d+)\.", said)
    assert found is not None, said
    return found[1]


OLDEST: Final = oldest()
NEWEST: Final = ".".join(utils.all_versions()[-1].split(".")[:2])


@pytest.fixture(autouse=True)
def _read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package reads its largest file anew for every object."""
    monkeypatch.setattr(utils, "schema_contents", _contents)


_contents = cache(utils.schema_contents)


def faults(document: Document, version: str) -> list[str]:
    """What the schema of this version has against it; an object without a schema is a fault."""
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{document['kind']} at {list(error.path)}: {error.message}"]
    except utils.SchemaNotFoundError as error:
        return [] if document["kind"] in CUSTOM else [error.message]
    return []


def every_object() -> list[Document]:
    """Each once, whatever sets of values make it."""
    made = [it for values in VALUES.values() for it in render(values)]
    return list({json.dumps(it, sort_keys=True): it for it in made}.values())


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_takes_every_object(version: str) -> None:
    assert [fault for it in every_object() for fault in faults(it, version)] == []


@pytest.mark.parametrize("name", ["minimal", "all on"])
def test_both_ends_of_what_is_supported_get_the_same_objects(name: str) -> None:
    old, new = (render(VALUES[name], kube_version=f"{it}.0") for it in (OLDEST, NEWEST))
    assert old == new == render(VALUES[name])


def test_an_older_kubernetes_is_refused() -> None:
    major, minor = OLDEST.split(".")
    older = f"{major}.{int(minor) - 1}.0"
    assert "incompatible with Kubernetes" in refused(minimal(), kube_version=older)


def test_a_field_that_does_not_exist_a_wrong_type_and_an_unknown_kind_are_faults() -> None:
    good = only(render(minimal()), "Deployment")
    typo, wrong, unknown = (copy.deepcopy(good) for _ in range(3))
    typo["spec"]["template"]["spec"]["terminationGracePeriodSecond"] = 30
    wrong["spec"]["revisionHistoryLimit"] = "five"
    unknown["kind"] = "Deploymint"
    assert faults(good, NEWEST) == []
    assert all(faults(it, NEWEST) for it in (typo, wrong, unknown))
