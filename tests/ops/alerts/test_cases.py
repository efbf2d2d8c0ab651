"""Each alert comes when it should, and stays away when it nearly should: promtool judges."""

import re
import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ops.alerts.rule_file import CASES, alerts, groups, name_of, only_what
from tests.ops.fetched import tool


@cache
def parsed(file: Path) -> dict[str, Any]:
    cases: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return cases


def loaded(file: Path) -> dict[str, Any]:
    return deepcopy(parsed(file))


def checks(file: Path) -> list[dict[str, Any]]:
    return [check for case in parsed(file)["tests"] for check in case["alert_rule_test"]]


def asked_by(case: dict[str, Any]) -> frozenset[str]:
    """The alerts that a case asks for."""
    return frozenset(it["alertname"] for it in case["alert_rule_test"])


def promtool(cases: dict[str, Any], folder: Path) -> tuple[int, str]:
    """Let promtool judge, with the rules that the cases ask for: evaluation is what takes time."""
    asked = frozenset[str]().union(*(asked_by(it) for it in cases["tests"]))
    rules = {"groups": only_what(set(asked))}
    cut = {
        **cases,
        "rule_files": ["rules.yaml"],
        "group_eval_order": [it["name"] for it in rules["groups"]],
    }
    (folder / "rules.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    (folder / "cases.yaml").write_text(yaml.safe_dump(cut), encoding="utf-8")
    done = subprocess.run(
        [tool("promtool"), "test", "rules", "cases.yaml"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def alike() -> list[tuple[Path, frozenset[str]]]:
    """The files, with the sets of alerts that a case of theirs asks for."""
    found = {(file, asked_by(case)) for file in CASES for case in parsed(file)["tests"]}
    return sorted(found, key=lambda it: (it[0], sorted(it[1])))


@pytest.mark.parametrize(
    ("file", "asked"), alike(), ids=[f"{file.stem}-{'-'.join(sorted(of))}" for file, of in alike()]
)
@pytest.mark.timeout(300)
def test_every_case_comes_out_as_it_says(file: Path, asked: frozenset[str], tmp_path: Path) -> None:
    cases = loaded(file)
    cases["tests"] = [it for it in cases["tests"] if asked_by(it) == asked]
    ended, said = promtool(cases, tmp_path)
    assert ended == 0, said


def test_a_case_that_comes_out_otherwise_is_noticed(tmp_path: Path) -> None:
    cases = loaded(next(it for it in CASES if it.stem == "kubernetes"))
    first = cases["tests"][0]["alert_rule_test"][0]
    assert first["exp_alerts"]
    first["exp_alerts"] = []
    ended, said = promtool(cases, tmp_path)
    assert ended == 1
    assert first["alertname"] in said


@pytest.mark.parametrize("alert", alerts())
def test_an_alert_has_a_case_in_which_it_comes_and_one_in_which_it_does_not(alert: str) -> None:
    mine = [it for file in CASES for it in checks(file) if it["alertname"] == alert]
    assert any(it["exp_alerts"] for it in mine)
    assert any(not it["exp_alerts"] for it in mine)


def test_no_case_asks_for_an_alert_that_is_not_there() -> None:
    assert {it["alertname"] for file in CASES for it in checks(file)} <= alerts().keys()


@pytest.mark.parametrize("file", CASES, ids=lambda it: it.stem)
def test_groups_are_evaluated_in_the_order_of_the_file(file: Path) -> None:
    assert loaded(file)["group_eval_order"] == [it["name"] for it in groups()]


def test_what_is_cut_away_for_speed_is_nothing_that_an_alert_needs() -> None:
    kept = {name_of(it) for group in only_what(set(alerts())) for it in group["rules"]}
    assert kept == {name_of(it) for group in groups() for it in group["rules"]}


def test_words_that_are_filled_in_leave_no_gap() -> None:
    for file in CASES:
        for check in checks(file):
            for expected in check["exp_alerts"]:
                words = " ".join(expected["exp_annotations"].values())
                assert not re.search(r"\(\)|<no value>|  |\{\{", words), words
