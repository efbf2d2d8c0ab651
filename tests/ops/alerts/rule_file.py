"""The rules as they are checked in, and what their expressions ask for."""

import re
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import promql_parser
import yaml

FOLDER: Final = Path("deploy/prometheus")
RULES: Final = FOLDER / "alerts.yaml"
CASES: Final = sorted((FOLDER / "tests").glob("*.yaml"))
RUNBOOKS: Final = Path("docs/runbooks")
# A recorded series has a level, a colon, and what it is.
_RECORDED: Final = re.compile(r"afterguard:[a-z0-9_:]+")


class Selector(NamedTuple):
    """One metric that an expression asks for.

    Attributes:
        metric: Its name.
        matchers: Label, whether it must be so, and the value or pattern.
    """

    metric: str
    matchers: tuple[tuple[str, bool, str], ...]

    @property
    def text(self) -> str:
        """As it is written in PromQL."""
        inside = ",".join(
            f'{name}{"=~" if wanted else "!~"}"{value}"' for name, wanted, value in self.matchers
        )
        return f"{self.metric}{{{inside.replace(chr(92), chr(92) * 2)}}}"


@cache
def groups() -> list[dict[str, Any]]:
    """The groups, in their order; not to be changed."""
    loaded: list[dict[str, Any]] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return loaded


def rules() -> list[dict[str, Any]]:
    """Every rule."""
    return [rule for group in groups() for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """The alerts, by name."""
    return {it["alert"]: it for it in rules() if "alert" in it}


def name_of(rule: dict[str, Any]) -> str:
    """An alert's name, or what a rule records."""
    name: str = rule.get("alert") or rule["record"]
    return name


def kebab(alert: str) -> str:
    """The name of an alert's page, without its ending."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", alert).lower()


def recorded(text: str) -> set[str]:
    """The recorded series that a text names."""
    return set(_RECORDED.findall(text))


@cache
def selectors(expr: str) -> list[Selector]:
    """Every metric that an expression asks for."""
    found: list[Selector] = []

    def look(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            equal = (promql_parser.MatchOp.Equal, promql_parser.MatchOp.Re)
            found.append(
                Selector(
                    node.name or "",
                    tuple((it.name, it.op in equal, it.value) for it in node.matchers.matchers),
                )
            )
        return True

    promql_parser.walk(promql_parser.parse(expr), look)
    return found


def grouped_by(expr: str) -> set[str]:
    """The labels by which an expression sums, matches or joins."""
    inside = re.findall(r"\b(?:by|on|without|group_left|group_right)\s*\(([^)]*)\)", expr)
    return {label for it in inside for label in re.split(r"[\s,]+", it) if label}


def only_what(asked: set[str]) -> list[dict[str, Any]]:
    """The groups with these alerts, and with the recording rules that they live on."""
    needed, before = set(asked), -1
    while len(needed) != before:
        before = len(needed)
        for rule in rules():
            if name_of(rule) in needed:
                needed |= recorded(rule["expr"])
    kept = [
        {**it, "rules": [rule for rule in it["rules"] if name_of(rule) in needed]}
        for it in groups()
    ]
    return [it for it in kept if it["rules"]]
