"""Grafana's JSON from the dashboards' sources: `python -m tests.ops.dashboards.build`.

A source says what a person reads: titles, sentences, queries. What Grafana wants said besides is
the same for every panel and stands here once. `$here` in a query stands for the workers chosen.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml
from tests.ops.dashboards import panels

FOLDER: Final = Path("deploy/grafana")
SOURCES: Final = FOLDER / "source"
# Of Grafana 10.0; later ones bring it up to date when they load it.
SCHEMA_VERSION: Final = 38
HERE: Final = 'job=~"$job", instance=~"$instance"'
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH: Final = 24


def dashboards() -> dict[Path, dict[str, Any]]:
    """Every dashboard, by the file that it is written to."""
    return {
        FOLDER / f"{source.stem}.json": dashboard(
            yaml.safe_load(source.read_text(encoding="utf-8"))
        )
        for source in sorted(SOURCES.glob("*.yaml"))
    }


def written(built: dict[str, Any]) -> str:
    """As it stands in its file."""
    return json.dumps(built, indent=1, ensure_ascii=False) + "\n"


def dashboard(source: dict[str, Any]) -> dict[str, Any]:
    """One dashboard.

    Args:
        source: `title`, `uid`, `about`, `rows` of `panels`; `variables` beside those that all have.
    """
    return {
        "uid": source["uid"],
        "title": f"Afterguard / {source['title']}",
        "description": source["about"].strip(),
        "tags": ["afterguard"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "fiscalYearStartMonth": 0,
        "links": [_LINK],
        "annotations": {"list": [_BUILT_IN, *_annotations()]},
        "templating": {"list": [*_VARIABLES, *_variables(source.get("variables", {}))]},
        "panels": list(_placed(source["rows"])),
    }


def _placed(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows and panels with their numbers and places, from left to right and downwards."""
    number = below = 0
    for row in rows:
        number += 1
        place = {"h": 1, "w": _WIDTH, "x": 0, "y": below}
        yield {
            "id": number,
            "type": "row",
            "title": row["title"],
            "collapsed": False,
            "panels": [],
            "gridPos": place,
        }
        x, y, below = 0, below + 1, below + 1
        for source in row["panels"]:
            number += 1
            width, height = source.get("width", 8), source.get("height", 8)
            if x + width > _WIDTH:
                x, y = 0, below
            place = {"h": height, "w": width, "x": x, "y": y}
            x, below = x + width, max(below, y + height)
            yield {**panels.panel(source, DATASOURCE, HERE), "id": number, "gridPos": place}


def _variables(named: dict[str, dict[str, str]]) -> Iterator[dict[str, Any]]:
    for name, it in named.items():
        if "choices" in it:
            yield _choices(name, it["label"], it["choices"].split())
        else:
            yield _query(name, it["label"], it["from"].replace("$here", HERE))


def _query(name: str, label: str, expr: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": expr, "refId": name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "hide": 0,
        "regex": "",
        "options": [],
        "skipUrlSync": False,
    }


def _choices(name: str, label: str, values: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "custom",
        "query": ",".join(values),
        "current": {"selected": True, "text": values[0], "value": values[0]},
        "options": [{"selected": it == values[0], "text": it, "value": it} for it in values],
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "skipUrlSync": False,
    }


def _annotations() -> Iterator[dict[str, Any]]:
    for name, color, title, expr in (
        (
            "Policy changes",
            "purple",
            "policy {{policy}} changed",
            "max by (policy) (changes(afterguard_policy_changes_total{$here}[1m])) > 0",
        ),
        (
            "Workers that started",
            "blue",
            "{{instance}} started",
            # New to Prometheus, and not only missed for some scrapes; or begun anew in its place.
            (
                "(count by (instance) (afterguard_build_info{$here}) unless count by (instance) "
                "(last_over_time(afterguard_build_info{$here}[10m] offset 1m))) "
                "or max by (instance) (resets(afterguard_events_received_total{$here}[1m])) > 0"
            ),
        ),
        (
            "Engine restarts",
            "red",
            "engine of {{instance}} started again: {{cause}}",
            "increase(afterguard_engine_restarts_total{$here}[1m]) > 0",
        ),
    ):
        yield {
            "name": name,
            "enable": True,
            "hide": False,
            "iconColor": color,
            "datasource": DATASOURCE,
            # Up to Grafana 11 the query is read from here, later from `target`.
            "expr": expr.replace("$here", HERE),
            "step": _STEP,
            "target": {"refId": "Anno", "expr": expr.replace("$here", HERE), "interval": _STEP},
            "titleFormat": title,
            "useValueForTime": False,
        }


_STEP: Final = "30s"
_LINK: Final = panels.link(
    "Afterguard", type="dashboards", tags=["afterguard"], includeVars=True, keepTime=True
)
_BUILT_IN: Final = {
    "builtIn": 1,
    "name": "Annotations & Alerts",
    "type": "dashboard",
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
}
_VARIABLES: Final = [
    {
        "name": "datasource",
        "label": "Data source",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "multi": False,
        "includeAll": False,
        "current": {"selected": True, "text": "default", "value": "default"},
        "hide": 0,
        "options": [],
        "skipUrlSync": False,
    },
    _query("job", "Job", "label_values(afterguard_build_info, job)"),
    _query("instance", "Worker", 'label_values(afterguard_build_info{job=~"$job"}, instance)'),
]


def main() -> None:
    """Write them all."""
    for file, built in dashboards().items():
        file.write_text(written(built), encoding="utf-8")


if __name__ == "__main__":
    main()
