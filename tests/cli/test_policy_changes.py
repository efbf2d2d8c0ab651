"""Policies are changed by commands: gated, kept in a history, and never by two people at once."""

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.cli.commands import Told, afterguard
from tests.policy.releases import change, text, version

from afterguard.cli import golden_judged, policies_activate
from afterguard.contracts.exit_codes import ExitCode
from afterguard.policy.store import HistoryEntry, StoreState
from afterguard.policy.store_folder import FolderPolicyStore
from afterguard.state.policy_store import RedisPolicyStore
from afterguard.state.settings import RedisSettings

# What the null engine says of everything.
RIGHT = {"id": "calm", "content": "after you, please", "expect": "no_violation"}
WRONG = {"id": "rude", "content": "I go first", "expect": "violation", "rules": ["Q1"]}


class Office:
    """A folder of policies, edits of them elsewhere, and a store."""

    def __init__(self, folder: Path) -> None:
        self.documents, self.edits = folder / "policies", folder / "edits"
        self.store = FolderPolicyStore(folder / "store")
        for place in (self.documents, self.edits):
            (place / "golden").mkdir(parents=True)
        self.write(self.documents, 0)

    def write(self, folder: Path, number: int, *rows: dict[str, Any]) -> Path:
        """The document of a number, with its golden set; it passes when no rows are given."""
        (folder / "queue.md").write_text(text(number), encoding="utf-8")
        lines = [json.dumps(row) for row in rows or [RIGHT]]
        (folder / "golden" / "queue.jsonl").write_text("\n".join(lines) + "\n")
        return folder / "queue.md"

    def edit(self, number: int, *rows: dict[str, Any]) -> Path:
        """An edit, beside the folder that workers have."""
        return self.write(self.edits, number, *rows)

    def activated(self, *numbers: int) -> None:
        """Versions of these numbers, one after another."""
        for number in numbers:
            assert run("activate", self.edit(number)).code == 0

    def state(self) -> StoreState:
        return asyncio.run(self.store.state())

    def history(self) -> list[HistoryEntry]:
        return asyncio.run(self.store.history("queue"))


def run(*arguments: str | Path) -> Told:
    return afterguard("policies", *arguments)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    made = Office(tmp_path)
    monkeypatch.setenv("AFTERGUARD_POLICIES__DIRECTORY", str(made.documents))
    monkeypatch.setenv("AFTERGUARD_POLICIES__STORE", made.store.place)
    monkeypatch.setenv("AFTERGUARD_ENGINE__KIND", "null")
    monkeypatch.setenv("COLUMNS", "220")
    return made


def test_a_version_whose_golden_set_passes_is_activated_with_who_why_and_figures(
    office: Office,
) -> None:
    told = run("activate", office.edit(1), "--by", "ann", "--because", "launch day")
    assert told.code == 0
    assert f"queue: {version(1)} is in force (revision 1); was {version(0)}" in told.out
    assert office.state().active("queue") == version(1)
    (entry,) = office.history()
    assert (entry.by, entry.because, entry.model) == ("ann", "launch day", "null")
    assert entry.scores is not None
    assert (entry.scores["passes"], entry.scores["right"]) == (True, 1)
    assert not entry.despite_failures


def test_a_version_that_fails_is_refused_and_the_failing_rows_are_shown(office: Office) -> None:
    told = run("activate", office.edit(1, RIGHT, WRONG))
    assert told.code == ExitCode.REFUSED
    assert "rude" in told.out
    assert "1 of 2 right" in told.out
    assert "refused; nothing was changed" in told.err
    with pytest.raises(Exception, match="is no folder"):
        office.state()


def test_whoever_insists_must_say_why_and_that_is_kept(office: Office) -> None:
    path = office.edit(1, RIGHT, WRONG)
    assert run("activate", path, "--despite-failures").code == 2
    told = run("activate", path, "--despite-failures", "--because", "an attack runs", "--by", "ann")
    assert told.code == 0
    (entry,) = office.history()
    assert (entry.despite_failures, entry.because) == (True, "an attack runs")
    assert "despite failures" in run("history", "queue").out


def test_without_a_golden_set_nothing_is_activated(office: Office) -> None:
    path = office.edit(1)
    (office.edits / "golden" / "queue.jsonl").unlink()
    told = run("activate", path)
    assert told.code == ExitCode.REFUSED
    assert "has no golden set" in told.err


def test_a_document_with_faults_is_refused_with_their_places(office: Office) -> None:
    path = office.edit(1)
    path.write_text(path.read_text().replace("severity: low", "severity: awful"))
    told = run("activate", path)
    assert told.code == ExitCode.CONFIGURATION
    assert f"{path}:7" in told.err


def test_warnings_of_lint_are_shown_and_refuse_nothing(office: Office) -> None:
    path = office.edit(1)
    path.write_text(path.read_text().replace("pushes in", "usually pushes in"))
    told = run("activate", path)
    assert told.code == 0
    assert "warning" in told.err


def test_what_is_in_force_already_is_no_change(office: Office) -> None:
    office.activated(1)
    told = run("activate", office.edit(1))
    assert (told.code, office.state().revision) == (0, 1)
    assert "in force already" in told.out


def test_who_is_overtaken_while_the_golden_set_is_judged_is_told_by_whom(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = golden_judged.judged

    async def overtaken(*arguments: Any, **named: Any) -> Any:
        await office.store.change(change(2, by="bob@desk"), expected=0)
        return await judged(*arguments, **named)

    monkeypatch.setattr(policies_activate, "judged", overtaken)
    told = run("activate", office.edit(1), "--by", "ann")
    assert told.code == ExitCode.OVERTAKEN
    assert f"bob@desk activated {version(2)} at 20" in told.err
    assert office.state().active("queue") == version(2)
    assert [it.by for it in office.history()] == ["bob@desk"]


def test_a_version_is_tried_and_then_promoted_by_its_name(office: Office) -> None:
    assert run("shadow", office.edit(1), "--share", "0.25").code == 0
    listed = json.loads(run("list", "--json").out)["policies"][0]
    assert listed["shadow"] == {"version": version(1), "share": 0.25}
    assert (listed["version"], listed["from"]) == (version(0), "folder")
    told = run("activate", f"queue@{version(1)[:6]}")
    assert told.code == 0
    state = office.state()
    assert (state.active("queue"), state.shadow("queue")) == (version(1), None)


def test_a_trial_is_called_off(office: Office) -> None:
    run("shadow", office.edit(1), "--share", "0.25")
    assert run("shadow", "queue", "--off").code == 0
    assert office.state().shadow("queue") is None
    told = run("shadow", "queue", "--off")
    assert (told.code, "no version of it is on trial" in told.err) == (78, True)


@pytest.mark.parametrize("options", [(), ("--share", "0.1", "--off"), ("--share", "0")])
def test_a_trial_needs_a_share_or_an_end(office: Office, options: tuple[str, ...]) -> None:
    assert run("shadow", office.edit(1), *options).code == 2


def test_what_is_in_force_cannot_be_tried(office: Office) -> None:
    told = run("shadow", office.edit(0), "--share", "0.1")
    assert (told.code, "there is nothing to try" in told.err) == (78, True)


def test_one_command_rolls_back_without_an_engine_and_tells_how_it_had_passed(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.activated(1, 2)
    monkeypatch.setattr(policies_activate, "judged", None)
    told = run("rollback", "queue", "--by", "ann", "--because", "flags quotations")
    assert told.code == 0
    assert f"queue: {version(1)} is in force again" in told.out
    assert "golden set not run again; at its activation on" in told.out
    assert "1 of 1 right" in told.out
    assert office.state().active("queue") == version(1)
    last = office.history()[-1]
    assert (last.by, last.because, last.before, last.after) == (
        "ann",
        "flags quotations",
        version(2),
        version(1),
    )


def test_rolled_back_again_it_goes_one_version_further_and_at_last_to_the_folder(
    office: Office,
) -> None:
    office.activated(1, 2)
    run("rollback", "queue")
    told = run("rollback", "queue")
    assert "the document of the folder is in force again" in told.out
    assert office.state().active("queue") is None
    told = run("rollback", "queue")
    assert (told.code, "no version before" in told.err) == (78, True)


def test_a_rollback_may_name_any_version_that_was_activated(office: Office) -> None:
    office.activated(1, 2, 3)
    assert run("rollback", "queue", "--to", version(1)[:8]).code == 0
    assert office.state().active("queue") == version(1)
    run("shadow", office.edit(4), "--share", "1")
    told = run("rollback", "queue", "--to", version(4))
    assert (told.code, "was never activated" in told.err) == (78, True)


def test_the_list_tells_what_is_in_force_on_trial_and_in_the_folder(office: Office) -> None:
    assert f"{version(0)} (folder)" in run("list").out
    office.activated(1)
    run("shadow", office.edit(2), "--share", "0.1", "--by", "ann@desk")
    (row,) = [it for it in run("list").out.splitlines() if "Jumping the queue" in it]
    for word in (version(1), f"{version(2)} of 0.1", f"{version(0)} (differs)", "ann@desk"):
        assert word in row


def test_a_difference_is_told_in_words_and_in_lines(office: Office) -> None:
    office.activated(1)
    path = office.edit(1)
    edited = path.read_text()
    for before, after in (
        ("severity: low, action: label", "severity: high, action: hide"),
        ("[0.3, 0.7]", "[0.4, 0.6]"),
        ("Asking politely", "Asking"),
    ):
        edited = edited.replace(before, after)
    path.write_text(edited)
    told = run("diff", "queue", path)
    assert told.code == 1
    assert "rule Q1: severity low -> high, action label -> hide" in told.out
    assert "uncertain: [0.3, 0.7] -> [0.4, 0.6]" in told.out
    assert "-- Asking politely, or telling a story about a queue." in told.out
    assert run("diff", "queue", f"queue@{version(1)}").code == 0


def test_a_history_is_for_people_and_for_machines(office: Office) -> None:
    office.activated(1)
    run("rollback", "queue", "--because", "too strict")
    lines = run("history", "queue", "--json").out.splitlines()
    assert [json.loads(it)["act"] for it in lines] == ["activate", "rollback"]
    told = run("history", "queue").out
    assert f"activated {version(1)}, was the folder's" in told
    assert "too strict" in told


@pytest.mark.parametrize("words", ["two\nlines", "x" * 501, "\x1b[2J"])
def test_a_reason_that_no_history_should_hold_is_refused(office: Office, words: str) -> None:
    told = run("activate", office.edit(1), "--because", words)
    assert told.code == ExitCode.CONFIGURATION
    assert "--because: at most 500 characters" in told.err


@pytest.mark.parametrize("name", ["queue@beef", "queue@", "nobody", "nobody@abcdef"])
def test_a_version_that_is_not_there_is_told(office: Office, name: str) -> None:
    office.activated(1)
    assert run("activate", name).code == ExitCode.CONFIGURATION
    assert office.state().active("queue") == version(1)


def test_without_a_store_there_is_nobody_to_tell(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AFTERGUARD_POLICIES__STORE")
    told = run("activate", office.edit(1))
    assert told.code == ExitCode.CONFIGURATION
    assert "policies.store: needed here, or redis.url" in told.err


def test_a_store_that_does_not_answer_is_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AFTERGUARD_POLICIES__STORE")
    monkeypatch.setenv("AFTERGUARD_REDIS__URL", "redis://127.0.0.1:1/0")
    told = run("list")
    assert told.code == ExitCode.STORE_AWAY
    assert "redis://127.0.0.1:1/0: ConnectionError" in told.err


@pytest.fixture
def in_redis(office: Office, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> RedisPolicyStore:
    prefix = uuid4().hex
    monkeypatch.delenv("AFTERGUARD_POLICIES__STORE")
    monkeypatch.setenv("AFTERGUARD_REDIS__URL", redis_url)
    monkeypatch.setenv("AFTERGUARD_REDIS__KEY_PREFIX", prefix)
    settings = RedisSettings.model_validate({"url": redis_url, "key_prefix": prefix})
    return RedisPolicyStore(settings)


@pytest.mark.redis
def test_all_of_it_works_in_redis_too(office: Office, in_redis: RedisPolicyStore) -> None:
    office.activated(1, 2)
    assert run("rollback", "queue").code == 0
    assert run("shadow", office.edit(3), "--share", "0.5").code == 0
    assert len(run("history", "queue", "--json").out.splitlines()) == 4

    async def state() -> StoreState:
        try:
            return await in_redis.state()
        finally:
            await in_redis.close()

    found = asyncio.run(state())
    shadow = found.shadow("queue")
    assert shadow is not None
    assert (found.active("queue"), shadow.version) == (version(1), version(3))
