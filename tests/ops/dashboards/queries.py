"""The queries of the checked-in dashboards, as Grafana would ask them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import promql_parser

from afterguard.telemetry.metric_list import METRICS

FOLDER: Final = Path("deploy/grafana")
FILES: Final = sorted(FOLDER.glob("*.json"))
# They put a zero where there is no series, or nothing where there is a zero.
_ENDINGS: Final = re.compile(r"( or vector\(0\)| > 0)+$")
_VLLM: Final = re.compile(r"vllm:[a-z_]+")


class Query(NamedTuple):
    """One query.

    Attributes:
        where: Dashboard, panel and legend, for people.
        expr: With Grafana's variables in it.
    """

    where: str
    expr: str

    def filled(self, *, window: str = "20s", compare: str = "20s") -> str:
        """With every variable filled in.

        Args:
            window: For `$__rate_interval`.
            compare: For the past that is compared with.
        """
        expr = self.expr.replace("$__rate_interval", window).replace("$compare", compare)
        expr = re.sub(r"\$(job|instance|policy|topic)", ".*", expr)
        assert "$" not in expr, f"{self.where}: a variable that nobody knows: {expr}"
        return expr

    def asked(self) -> str:
        """Filled in, and without an ending that would hide a missing series."""
        return _ENDINGS.sub("", self.filled())


def load(file: Path) -> dict[str, Any]:
    """A dashboard."""
    loaded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return loaded


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Its panels, without the rows."""
    return [it for it in dashboard["panels"] if it["type"] != "row"]


def of_panels() -> Iterator[Query]:
    """Every query of every panel."""
    for file in FILES:
        for panel in panels(load(file)):
            for target in panel["targets"]:
                where = f"{file.stem} / {panel['title']} / {target['legendFormat']}"
                yield Query(where, target["expr"])


def of_annotations() -> Iterator[Query]:
    """Every query that draws a line through the panels."""
    for file in FILES:
        for it in load(file)["annotations"]["list"]:
            if "expr" in it:
                yield Query(f"{file.stem} / {it['name']}", it["expr"])


def metrics_of(expr: str) -> set[str]:
    """The names of the metrics that an expression asks for."""
    found: set[str] = set()

    def look(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector) and node.name:
            found.add(node.name)
        return True

    promql_parser.walk(promql_parser.parse(expr), look)
    return found


def known_metrics() -> set[str]:
    """Every series name that a worker may have by its own list."""
    names: set[str] = set()
    for metric in METRICS:
        name = f"afterguard_{metric.name}"
        parts = ("_bucket", "_sum", "_count") if metric.kind == "histogram" else ("",)
        names.update(name + part for part in parts)
    return names


def vllm_metrics() -> set[str]:
    """Every series name that the vLLM which is installed may have, by its own source."""
    import importlib.util

    spec = importlib.util.find_spec("vllm")
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).parent / "v1" / "metrics" / "loggers.py"
    names = set(_VLLM.findall(source.read_text(encoding="utf-8")))
    return {it + part for it in names for part in ("", "_total", "_bucket", "_sum", "_count")}
