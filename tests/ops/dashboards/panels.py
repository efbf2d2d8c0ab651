"""One panel: from what a source says of it to what Grafana wants to hear."""

from typing import Any, Final

RUNBOOKS: Final = "https://github.com/afterguard/afterguard/blob/main/docs/runbooks"

_TOOLTIP: Final = {"mode": "multi", "sort": "desc"}
_LAST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def panel(source: dict[str, Any], datasource: dict[str, str], here: str) -> dict[str, Any]:
    """One panel, without number and place.

    Args:
        source: `title`, `kind`, `unit`, `help`, `queries` (legend to expression), and whatever of
            `thresholds`, `runbook`, `stack`, `min`, `max`, `decimals`, `exemplars`, `values`.
        datasource: Of all queries.
        here: What `$here` stands for.
    """
    kind = source.get("kind", "timeseries")
    made: dict[str, Any] = {
        "type": kind,
        "title": source["title"],
        "description": " ".join(source["help"].split()),
        "datasource": datasource,
        "targets": [
            _target(letter, legend, expr.replace("$here", here), source, datasource)
            for letter, (legend, expr) in zip("ABCDEFGH", source["queries"].items(), strict=False)
        ],
        "fieldConfig": {"defaults": _defaults(source, kind), "overrides": []},
        "options": _OPTIONS[kind],
        "transparent": False,
    }
    if "runbook" in source:
        url = f"{RUNBOOKS}/{source['runbook']}.md"
        made["links"] = [link("Runbook", url=url, targetBlank=True)]
    if kind == "table":
        made["transformations"] = [_columns(source)]
    return made


def link(title: str, **changes: Any) -> dict[str, Any]:
    """A link of a dashboard or of a panel."""
    return {
        "title": title,
        "type": "link",
        "url": "",
        "icon": "external link",
        "tooltip": "",
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
        "targetBlank": False,
    } | changes


def _target(
    letter: str, legend: str, expr: str, source: dict[str, Any], datasource: dict[str, str]
) -> dict[str, Any]:
    table = source.get("kind") == "table"
    return {
        "refId": letter,
        "datasource": datasource,
        "editorMode": "code",
        "expr": " ".join(expr.split()),
        "legendFormat": legend,
        "range": not table,
        "instant": table,
        "exemplar": bool(source.get("exemplars")),
        "format": "table" if table else "time_series",
    }


def _defaults(source: dict[str, Any], kind: str) -> dict[str, Any]:
    thresholds = source.get("thresholds", {"from": "green"})
    made: dict[str, Any] = {
        "unit": source["unit"],
        "color": {"mode": "palette-classic" if kind == "timeseries" else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [
                {"value": None if at == "from" else at, "color": color}
                for at, color in thresholds.items()
            ],
        },
        "mappings": _mappings(source.get("values", {})),
    }
    made |= {name: source[name] for name in ("min", "max", "decimals") if name in source}
    if kind == "timeseries":
        made["custom"] = _drawn(source)
    return made


def _drawn(source: dict[str, Any]) -> dict[str, Any]:
    stacked = bool(source.get("stack"))
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 40 if stacked else 8,
        "showPoints": "never",
        "spanNulls": 60_000,
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if "thresholds" in source else "off"},
        "axisPlacement": "auto",
        "axisSoftMin": 0,
        "scaleDistribution": {"type": "linear"},
    }


def _mappings(values: dict[Any, str]) -> list[dict[str, Any]]:
    if not values:
        return []
    options = {
        str(value): {"text": text, "index": index}
        for index, (value, text) in enumerate(values.items())
    }
    return [{"type": "value", "options": options}]


def _columns(source: dict[str, Any]) -> dict[str, Any]:
    columns = source["columns"].split()
    return {
        "id": "organize",
        "options": {
            "excludeByName": {it: True for it in ("Time", "Value") if it not in columns},
            "indexByName": {name: index for index, name in enumerate(columns)},
            "renameByName": {"Value": source.get("counted", "Value")},
        },
    }


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "timeseries": {
        "legend": {
            "displayMode": "list",
            "placement": "bottom",
            "showLegend": True,
            "calcs": [],
        },
        "tooltip": _TOOLTIP,
    },
    "stat": {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "orientation": "auto",
        "reduceOptions": _LAST,
        "textMode": "auto",
    },
    "bargauge": {
        "displayMode": "basic",
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "valueMode": "color",
    },
    "table": {"showHeader": True, "cellHeight": "sm"},
}
