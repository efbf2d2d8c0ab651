"""Runbooks that a tired person can follow: the same five parts, and queries that are answered."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from tests.ops.alerts.rule_file import RUNBOOKS, alerts, kebab, selectors
from tests.ops.alerts.test_rules import labels_of

from afterguard.contracts.exit_codes import ExitCode

PARTS: Final = [
    "What it means",
    "First look",
    "Causes, the likeliest first",
    "When to call somebody",
    "It is over when",
]
PAGES: Final = sorted(RUNBOOKS.glob("afterguard-*.md"))
# About a screen and a half; what is longer belongs into the guide that the page links to.
MOST_WORDS: Final = 420

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda it: it.stem)


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


@each_page
def test_a_page_has_the_same_parts_as_the_others(page: Path) -> None:
    assert re.findall(r"^## (.+)$", text_of(page), re.MULTILINE) == PARTS
    title = text_of(page).splitlines()[0].removeprefix("# ")
    assert title in alerts()
    assert kebab(title) == page.stem


@each_page
def test_a_page_is_short(page: Path) -> None:
    assert len(text_of(page).split()) <= MOST_WORDS


@each_page
def test_a_first_look_can_be_pasted(page: Path) -> None:
    look = text_of(page).split("## First look")[1].split("## ")[0]
    assert re.search(r"^```(sh|promql)$", look, re.MULTILINE)


@pytest.mark.parametrize("page", [*PAGES, RUNBOOKS / "README.md"], ids=lambda it: it.stem)
def test_queries_are_valid_and_ask_for_what_is_exported(page: Path) -> None:
    blocks = re.findall(r"^```promql\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]*afterguard_\w+[^`\n]*[({\[][^`\n]*)`", text_of(page))
    for query in [*(line for it in blocks for line in it.splitlines()), *inline]:
        for asked in selectors(query):
            labels = labels_of(asked.metric)
            assert labels is not None, asked
            assert {name for name, _, _ in asked.matchers} <= labels, asked


@pytest.mark.parametrize(
    ("alert", "code"),
    [
        ("AfterguardExitConfiguration", ExitCode.CONFIGURATION),
        ("AfterguardExitEngineDied", ExitCode.ENGINE_DIED),
        ("AfterguardExitStreamLost", ExitCode.STREAM_LOST),
        ("AfterguardExitFenced", ExitCode.FENCED),
    ],
)
def test_pages_about_exit_codes_name_them_as_the_worker_does(alert: str, code: ExitCode) -> None:
    assert f"`{code.value}` (`{code.name}`)" in text_of(RUNBOOKS / f"{kebab(alert)}.md")


def test_the_index_leads_to_every_page_and_says_how_grave_it_is() -> None:
    index = text_of(RUNBOOKS / "README.md")
    grave, rest = index.split("## These are work for the day")
    for name, alert in alerts().items():
        table = grave if severity(alert) == "critical" else rest
        assert f"| [{name}]({kebab(name)}.md) |" in table, name
        waits = alert.get("for", "at once")
        assert re.search(rf"\[{name}\].*\| {waits} \|$", table, re.MULTILINE), name


def severity(alert: dict[str, Any]) -> str:
    told: str = alert["labels"]["severity"]
    return told
