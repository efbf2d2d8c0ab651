"""The checked-in dashboards: as their sources say, and fit for any Grafana of 10 or later."""

import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from tests.ops.dashboards import build
from tests.ops.dashboards.panels import RUNBOOKS
from tests.ops.dashboards.queries import FILES, load, panels
from tests.ops.fetched import NODE_MODULES, tool

# Enums are written as their values; annotations carry what the Prometheus data source reads.
TYPED = """\
import type {{ AnnotationQuery, Dashboard, DataQuery, Panel, RowPanel }} from "@grafana/schema";
type Plain<T> = T extends string ? `${{T}}`
  : T extends Array<infer U> ? Array<Plain<U>>
  : T extends object ? {{ [K in keyof T]: Plain<T[K]> }}
  : T;
type Query = DataQuery & {{ expr: string; interval: string }};
type Drawn = {{ expr?: string; step?: string; titleFormat?: string; useValueForTime?: boolean }};
type Annotations = {{ list: Array<AnnotationQuery<Query> & Drawn> }};
type Panels = Array<Panel | RowPanel>;
type Typed = Omit<Dashboard, "panels" | "annotations">
  & {{ panels: Panels; annotations: Annotations }};
export const made: Plain<Typed> = {json};
"""

each_file = pytest.mark.parametrize("file", FILES, ids=lambda it: it.stem)


def test_every_file_is_what_its_source_makes_of_it() -> None:
    """Mended by `python -m tests.ops.dashboards.build`."""
    built = {file: build.written(it) for file, it in build.dashboards().items()}
    assert built == {file: file.read_text(encoding="utf-8") for file in FILES}


@each_file
def test_panels_have_numbers_of_their_own_and_cover_no_other(file: Path) -> None:
    placed = load(file)["panels"]
    ids = [it["id"] for it in placed]
    assert len(ids) == len(set(ids))
    for one, other in combinations([it["gridPos"] for it in placed], 2):
        assert not overlap(one, other), (one, other)
    assert all(it["gridPos"]["x"] + it["gridPos"]["w"] <= 24 for it in placed)


@each_file
def test_a_data_source_is_only_ever_the_one_that_was_chosen(file: Path) -> None:
    dashboard = load(file)
    found = [it for it in sources(dashboard) if it["uid"] != "-- Grafana --"]
    assert found
    assert all(it == {"type": "prometheus", "uid": "${datasource}"} for it in found)
    names = [it["name"] for it in dashboard["templating"]["list"]]
    assert names[:3] == ["datasource", "job", "instance"]


@each_file
def test_every_panel_says_what_is_good_and_what_to_do_and_in_which_unit(file: Path) -> None:
    for panel in panels(load(file)):
        assert panel["description"].count(".") >= 2, panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]


def test_dashboards_are_known_by_fixed_names_and_lead_to_each_other() -> None:
    loaded = [load(it) for it in FILES]
    uids = [it["uid"] for it in loaded]
    assert uids == [f"afterguard-{it.stem}" for it in FILES]
    for dashboard in loaded:
        assert dashboard["tags"] == ["afterguard"]
        assert [it["tags"] for it in dashboard["links"]] == [["afterguard"]]


@each_file
def test_a_link_to_a_runbook_leads_to_one(file: Path) -> None:
    urls = [link["url"] for panel in panels(load(file)) for link in panel.get("links", [])]
    assert urls
    for url in urls:
        assert Path(url.replace(RUNBOOKS, "docs/runbooks")).is_file(), url


@each_file
def test_grafanas_own_types_know_every_key(file: Path, tmp_path: Path) -> None:
    assert type_errors(file.read_text(encoding="utf-8"), tmp_path) == ""


def test_a_key_that_grafana_does_not_know_is_noticed(tmp_path: Path) -> None:
    text = FILES[0].read_text(encoding="utf-8").replace('"gridPos"', '"gridPosition"', 1)
    assert "gridPosition" in type_errors(text, tmp_path)


def type_errors(json: str, folder: Path) -> str:
    """What TypeScript says of a dashboard against `@grafana/schema`."""
    node = tool("node")
    compiler = NODE_MODULES / ".bin" / "tsc"
    assert compiler.exists(), "typescript is not here: `make ops-tools` fetches it"
    (folder / "node_modules").symlink_to(NODE_MODULES)
    (folder / "made.ts").write_text(TYPED.format(json=json), encoding="utf-8")
    told = subprocess.run(
        [
            *(node, compiler, "--noEmit", "--strict", "--skipLibCheck", "--types", ""),
            *("--module", "nodenext", "--moduleResolution", "nodenext", "made.ts"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout + told.stderr


def overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    """Whether two places share a cell."""
    return all(
        one[at] < other[at] + other[size] and other[at] < one[at] + one[size]
        for at, size in (("x", "w"), ("y", "h"))
    )


def sources(part: Any) -> list[dict[str, str]]:
    """Every data source that is named anywhere below."""
    if isinstance(part, list):
        return [it for each in part for it in sources(each)]
    if not isinstance(part, dict):
        return []
    mine = [part["datasource"]] if isinstance(part.get("datasource"), dict) else []
    return mine + [
        it for name, each in part.items() if name != "datasource" for it in sources(each)
    ]
