"""The schema of the values is strict, whole, and what both Helms enforce."""

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest
import yaml
from tests.ops.chart.rendered import CHART, HELMS, Document, Helm, minimal, refused, render

SCHEMA: Final[Document] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES: Final[Document] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
# Free maps: what is in them is somebody else's.
FREE: Final = {"settings", "global", "affinity", "podSecurityContext", "containerSecurityContext"}
# Maps that are empty unless somebody fills them, and whose fields are known all the same.
EMPTY: Final = {"resources"}


def objects(schema: Document, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Document]]:
    """Every part of the schema that lists its fields, by its path."""
    if "properties" in schema:
        yield ".".join(path), schema
        for name, part in schema["properties"].items():
            yield from objects(part, (*path, name))


def described(schema: Document, values: Document, path: str = "") -> Iterator[str]:
    """The values that the schema does not know or does not explain."""
    for name, value in values.items():
        part = schema.get("properties", {}).get(name)
        where = f"{path}{name}"
        if part is None:
            if where.split(".", maxsplit=1)[0] not in FREE:
                yield where
        elif isinstance(value, dict) and part.get("properties"):
            yield from described(part, value, f"{where}.")
        elif not part.get("description"):
            yield where


def test_every_value_is_known_and_explained() -> None:
    assert list(described(SCHEMA, VALUES)) == []


def test_no_field_is_in_the_schema_alone() -> None:
    def extra(schema: Document, values: Any, path: str) -> Iterator[str]:
        for name, part in schema.get("properties", {}).items():
            if not isinstance(values, dict) or name not in values:
                yield f"{path}{name}"
            elif part.get("properties"):
                yield from extra(part, values[name], f"{path}{name}.")

    found = [it for it in extra(SCHEMA, VALUES, "") if it.split(".")[0] not in FREE | EMPTY]
    assert found == ["enabled"]


def test_every_list_of_fields_is_closed() -> None:
    parts = dict(objects(SCHEMA))
    assert len(parts) > 15
    free = [path for path, part in parts.items() if part.get("additionalProperties") is not False]
    assert {path.split(".")[0] for path in free} <= FREE


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 2},
        {"kafka": {"bootstrap_servers": "a:1"}},
        {"kafka": {"tls": {"secret": "x"}}},
        {"replicaCount": "three"},
        {"replicaCount": -1},
        {"kafka": {"securityProtocol": "tls"}},
        {"kafka": {"sasl": {"mechanism": "GSSAPI"}}},
        {"engine": {"kind": "llama"}},
        {"model": {"cache": {"size": "fifty"}}},
        {"model": {"cache": {"type": "hostPath"}}},
        {"image": {"digest": "sha256:12"}},
        {"image": {"tag": " "}},
        {"strategy": {"maxSurge": "one"}},
        {"gpu": {"count": 1.5}},
        {"policies": {"files": {"a.md": 1}}},
        {"extraEnv": [{"value": "1"}]},
        {"extraEnv": {"A": "1"}},
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused_by_name(helm: Helm, values: Document) -> None:
    told = refused(minimal(values), helm=helm)
    assert "schema" in told
    names = list(values)
    inner = values[names[0]]
    while isinstance(inner, dict):
        names.append(next(iter(inner)))
        inner = inner[names[-1]]
    assert any(name in told for name in names)


@pytest.mark.parametrize("helm", HELMS)
def test_an_umbrella_chart_may_use_it(helm: Helm) -> None:
    values = {"global": {"imageRegistry": "x", "anything": [1]}, "enabled": True}
    assert render(minimal(values), helm=helm)
