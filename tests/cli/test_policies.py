"""`afterguard policies`: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from tests.policy.documents import BODY, FRONT, document
from typer.testing import CliRunner

from afterguard.cli.policies import policies_app
from afterguard.contracts.exit_codes import ExitCode
from afterguard.engine.prompt import instructions
from afterguard.policy.document import read_policy
from afterguard.policy.golden import golden_path
from afterguard.policy.registry import load_policies
from afterguard.policy.settings import PolicySettings

# About 500 tokens, so that its length is no reason to warn.
LONG_BODY = BODY.replace("wait in an order.", "wait in an order. " + "They stand and wait. " * 64)


def write(folder: Path, policy_id: str, letter: str, body: str = LONG_BODY) -> Path:
    """A policy with rule ids of its own letter, and its golden set."""
    front = FRONT.replace("id: queue", f"id: {policy_id}").replace("Q", letter)
    path = folder / f"{policy_id}.md"
    path.write_text(document(front, body.replace("Q", letter)), encoding="utf-8")
    write_golden(path, [f"{letter}1", f"{letter}2"])
    return path


def write_golden(document: Path, rules: list[str]) -> Path:
    """Ten rows, of which one argues with the judge, and the first expect these rules."""
    rows: list[dict[str, object]] = [
        {"id": f"r-{number}", "content": f"message {number}", "expect": "no_violation"}
        for number in range(10)
    ]
    for row, rule in zip(rows, rules, strict=False):
        row |= {"expect": "violation", "rules": [rule]}
    rows[-1]["tags"] = ["injection"]
    path = golden_path(document)
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = CliRunner().invoke(policies_app, [str(it) for it in arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AFTERGUARD_CONFIG", raising=False)
    monkeypatch.delenv("AFTERGUARD_POLICIES__DIRECTORY", raising=False)


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return write(tmp_path, "good", "G")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    return write(tmp_path, "odd", "O", LONG_BODY.replace("pushes in", "usually pushes in"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = write(tmp_path, "broken", "B", LONG_BODY.replace("## Definitions", "## Terms"))
    path.write_text(path.read_text().replace("severity: low", "severity: awful"))
    return path


def test_the_shipped_policies_are_linted_when_nothing_is_named() -> None:
    code, out, _ = run("lint", "--strict")
    assert code == 0
    assert "documents: 6, faults: 0, warnings: 0" in out


def test_a_good_policy_is_listed_with_its_version_and_rules(good: Path) -> None:
    code, out, _ = run("lint", good)
    assert code == 0
    policy = read_policy(good)
    row = next(line for line in out.splitlines() if policy.version in line)
    assert row.split()[:2] == ["good", policy.version]
    assert "G1, G2" in row


def test_the_table_is_not_cut_in_a_pipe(good: Path) -> None:
    assert str(good) in run("lint", good)[1]


def test_every_fault_of_every_document_is_told_in_one_line_each(broken: Path, good: Path) -> None:
    another = write(broken.parent, "another", "A", LONG_BODY.replace("Violates Q1", "Violates Q9"))
    code, out, _ = run("lint", broken.parent)
    assert code == ExitCode.CONFIGURATION
    assert out.splitlines()[:3] == [
        f"{another}:32: body: A9 is no rule of this policy",
        f"{broken}:7: rules.0.severity: Input should be 'low', 'medium', 'high' or 'critical'",
        f"{broken}:10: body: lacks the part `## Definitions`",
    ]
    assert "documents: 3, faults: 3, warnings: 0" in out
    assert "good" in out


def test_warnings_are_told_and_refuse_nothing(odd: Path) -> None:
    code, out, _ = run("lint", odd)
    assert code == 0
    assert f"{odd}:23: warning: body: 'usually'" in out
    assert "documents: 1, faults: 0, warnings: 1" in out


def test_strict_turns_warnings_into_failures(odd: Path) -> None:
    assert run("lint", odd, "--strict")[0] == ExitCode.CONFIGURATION


def test_two_documents_of_one_id_are_a_fault(good: Path, tmp_path: Path) -> None:
    (tmp_path / "twin.md").write_text(good.read_text(), encoding="utf-8")
    code, out, _ = run("lint", tmp_path)
    assert code == ExitCode.CONFIGURATION
    assert f"{tmp_path / 'twin.md'}:1: id: good is the id of {good} too" in out


def test_a_golden_set_that_is_missing_is_a_warning(good: Path) -> None:
    golden_path(good).unlink()
    code, out, _ = run("lint", good)
    assert code == 0
    assert f"{good}:1: warning: golden: {golden_path(good)} is not there" in out


def test_a_fault_of_a_golden_set_is_told_with_those_of_its_document(good: Path) -> None:
    with golden_path(good).open("a", encoding="utf-8") as file:
        file.write("no row\n")
    code, out, _ = run("lint", good)
    assert code == ExitCode.CONFIGURATION
    assert out.startswith(f"{golden_path(good)}:11: ")


def test_a_document_named_twice_is_read_once(good: Path) -> None:
    code, out, _ = run("lint", good, good.parent)
    assert code == 0
    assert "documents: 1," in out


def test_json_is_one_object_with_places(odd: Path, broken: Path) -> None:
    code, out, _ = run("lint", odd.parent, "--json")
    told = json.loads(out)
    assert code == ExitCode.CONFIGURATION
    assert told["ok"] is False
    assert [it["id"] for it in told["policies"]] == ["odd"]
    assert told["policies"][0]["rules"] == ["O1", "O2"]
    assert [(it["file"], it["line"], it["field"]) for it in told["faults"]] == [
        (str(broken), 7, "rules.0.severity"),
        (str(broken), 10, "body"),
    ]
    assert [(it["file"], it["line"]) for it in told["warnings"]] == [(str(odd), 23)]


def test_json_says_ok_when_all_is_well(good: Path) -> None:
    code, out, _ = run("lint", good, "--json")
    assert (code, json.loads(out)["ok"]) == (0, True)


def test_the_folder_of_the_settings_is_linted(good: Path, tmp_path: Path) -> None:
    config = tmp_path / "afterguard.yaml"
    config.write_text(f"policies: {{directory: {tmp_path}}}\n")
    code, out, _ = run("lint", "--config", config)
    assert code == 0
    assert str(good) in out


@pytest.mark.parametrize("name", ["nowhere.md", "nowhere"])
def test_a_path_that_is_not_there_is_a_fault(name: str, tmp_path: Path) -> None:
    code, out, _ = run("lint", tmp_path / name)
    assert code == ExitCode.CONFIGURATION
    assert f"{tmp_path / name}: cannot be read: No such file or directory" in out


def test_a_folder_without_policies_is_told(tmp_path: Path) -> None:
    code, _, err = run("lint", tmp_path)
    assert code == ExitCode.CONFIGURATION
    assert f"{tmp_path} holds no policy (`*.md`)" in err


def test_settings_that_are_wrong_are_told_before_any_policy(tmp_path: Path) -> None:
    config = tmp_path / "afterguard.yaml"
    config.write_text("policies: {folder: x}\n")
    code, _, err = run("lint", "--config", config)
    assert code == ExitCode.CONFIGURATION
    assert err.startswith("policies.folder: no such setting")


@pytest.mark.parametrize("policy_id", ["harassment", "game-cheating"])
def test_show_prints_what_the_model_reads(policy_id: str) -> None:
    policy = load_policies(PolicySettings()).by_id(policy_id)
    assert policy is not None
    code, out, _ = run("show", policy_id)
    assert (code, out) == (0, instructions(policy))
    assert policy.body.strip() in out


def test_show_takes_the_path_of_a_document_too(good: Path) -> None:
    code, out, _ = run("show", good)
    assert (code, out) == (0, instructions(read_policy(good)))


def test_show_prints_the_prompt_that_several_policies_share_in_the_order_of_the_worker() -> None:
    policies = {it.id: it for it in load_policies(PolicySettings()).policies}
    code, out, err = run("show", "hate", "spam-scams", "harassment")
    # Low effort first: so have harassment and spam-scams, and hate has more.
    shared = policies["harassment"], policies["spam-scams"], policies["hate"]
    assert (code, out, err) == (0, instructions(shared[0], shared[1:]), "")


def test_show_says_when_no_prompt_of_a_worker_would_hold_so_many(tmp_path: Path) -> None:
    config = tmp_path / "afterguard.yaml"
    config.write_text("judging: {combined_most: 2}\n")
    code, _, err = run("show", "hate", "spam-scams", "harassment", "--config", config)
    assert code == 0
    assert "judging.combined_most" in err


def test_show_refuses_two_versions_of_a_policy_in_one_prompt(good: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other", "good", "G")
    code, _, err = run("show", good, other)
    assert code == ExitCode.CONFIGURATION
    assert "each policy once" in err


def test_show_names_the_policies_there_are() -> None:
    code, _, err = run("show", "nothing")
    assert code == ExitCode.CONFIGURATION
    assert "there is no policy 'nothing'; there are game-cheating, harassment" in err


def test_show_tells_every_fault_of_a_broken_document(broken: Path) -> None:
    code, _, err = run("show", broken)
    assert code == ExitCode.CONFIGURATION
    assert len(err.splitlines()) == 2
