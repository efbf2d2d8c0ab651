"""The registry: which policies an event is judged under."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.policy.documents import FRONT, document
from tests.samples import chat_event, policy

from afterguard.contracts.errors import PolicyError, SettingsError
from afterguard.contracts.policies import Policy
from afterguard.policy.registry import PolicyRegistry, load_policies, policy_files
from afterguard.policy.settings import PolicySettings

TURNS = [{"role": "user", "text": "hello"}]


def applying(policy_id: str = "harassment", **applies_to: Any) -> Policy:
    return policy(id=policy_id, applies_to=applies_to)


def judged_under(applies: Policy, **event: object) -> bool:
    found, unknown = PolicyRegistry([applies]).applicable(chat_event(**event))
    assert unknown == ()
    return found == (applies,)


def write(folder: Path, name: str, policy_id: str) -> Path:
    path = folder / name
    path.write_text(document(FRONT.replace("id: queue", f"id: {policy_id}")), encoding="utf-8")
    return path


def test_a_policy_that_names_nothing_applies_to_everything() -> None:
    assert judged_under(applying())
    assert judged_under(applying(), kind="conversation", content=TURNS, author={"id": "s"})


@pytest.mark.parametrize(
    ("applies_to", "fits", "fits_not"),
    [
        ({"kinds": ["message"]}, {}, {"kind": "completion"}),
        ({"roles": ["user"]}, {}, {"author": {"id": "a", "role": "assistant"}}),
        ({"tenants": ["game-*"]}, {"tenant": "game-eu"}, {"tenant": "games"}),
        ({"tenants": ["game-*"]}, {"tenant": "game-"}, {}),
        ({"tenants": ["Acme"]}, {"tenant": "Acme"}, {"tenant": "acme"}),
        ({"channels": ["a", "lobby-?"]}, {"channel_id": "lobby-1"}, {"channel_id": "lobby-12"}),
        ({"channels": ["*"]}, {"channel_id": "any"}, {}),
        ({"languages": ["pt"]}, {"language": "pt"}, {"language": "en"}),
    ],
)
def test_a_policy_applies_where_its_document_says(
    applies_to: dict[str, Any], fits: dict[str, Any], fits_not: dict[str, Any]
) -> None:
    assert judged_under(applying(**applies_to), **fits)
    assert not judged_under(applying(**applies_to), **fits_not)


def test_every_condition_must_hold() -> None:
    both = applying(tenants=["game-*"], channels=["lobby-*"])
    assert judged_under(both, tenant="game-1", channel_id="lobby-1")
    assert not judged_under(both, tenant="game-1", channel_id="shop")
    assert not judged_under(both, tenant="work", channel_id="lobby-1")


@pytest.mark.parametrize("tag", ["pt-BR", "pt_BR", "PT", "pt-Latn-PT"])
def test_a_language_is_told_by_its_primary_tag(tag: str) -> None:
    assert judged_under(applying(languages=["pt"]), language=tag)
    assert not judged_under(applying(languages=["en"]), language=tag)


@pytest.mark.parametrize("tag", [None, "", "und", "mul", "mis", "zxx"])
def test_a_language_that_nobody_knows_is_judged_rather_than_let_through(tag: str | None) -> None:
    assert judged_under(applying(languages=["pt"]), language=tag)


def test_events_with_equal_routes_find_equal_policies() -> None:
    registry = PolicyRegistry([applying("aa", tenants=["x"]), applying("bb")])
    first = registry.applicable(chat_event(tenant="x"))
    assert registry.applicable(chat_event(event_id="e-2", tenant="x")) == first
    assert registry.applicable(chat_event(tenant="y")) != first


def test_policies_apply_in_the_order_of_the_registry() -> None:
    registry = PolicyRegistry([applying("bb"), applying("aa")])
    assert [it.id for it in registry.applicable(chat_event())[0]] == ["bb", "aa"]
    asked = chat_event(policies=["aa", "bb"])
    assert [it.id for it in registry.applicable(asked)[0]] == ["bb", "aa"]


def test_an_event_that_names_policies_is_judged_under_those_alone() -> None:
    registry = PolicyRegistry([applying("aa"), applying("bb", tenants=["elsewhere"])])
    found, unknown = registry.applicable(chat_event(policies=["bb"]))
    assert ([it.id for it in found], unknown) == (["bb"], ())


def test_policies_that_nobody_knows_are_told_apart() -> None:
    registry = PolicyRegistry([applying("aa")])
    found, unknown = registry.applicable(chat_event(policies=["zz", "aa", "yy"]))
    assert ([it.id for it in found], unknown) == (["aa"], ("zz", "yy"))


def test_an_event_may_ask_for_no_policy() -> None:
    assert PolicyRegistry([applying()]).applicable(chat_event(policies=[])) == ((), ())


def test_a_policy_is_found_by_its_id() -> None:
    known = applying("aa")
    assert PolicyRegistry([known]).by_id("aa") is known
    assert PolicyRegistry([known]).by_id("bb") is None


def test_a_folder_is_loaded_by_file_name(tmp_path: Path) -> None:
    write(tmp_path, "b.md", "aa")
    write(tmp_path, "a.md", "bb")
    registry = load_policies(PolicySettings(directory=tmp_path))
    assert [it.id for it in registry.policies] == ["bb", "aa"]


def test_only_the_policies_that_the_settings_name_are_loaded(tmp_path: Path) -> None:
    for name in ("aa", "bb", "cc"):
        write(tmp_path, f"{name}.md", name)
    registry = load_policies(PolicySettings(directory=tmp_path, only=["cc", "aa"]))
    assert [it.id for it in registry.policies] == ["aa", "cc"]


def test_readmes_and_hidden_files_are_no_policies(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# About", encoding="utf-8")
    (tmp_path / ".#queue.md").symlink_to("nobody@nowhere")
    (tmp_path / "._queue.md").write_bytes(b"\x00\x05")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert policy_files(tmp_path) == []
    path = write(tmp_path, "queue.md", "queue")
    assert policy_files(tmp_path) == [path]


def test_a_folder_of_links_is_loaded_once_as_a_mounted_one_is_made_of_them(tmp_path: Path) -> None:
    version = tmp_path / "..2026"
    version.mkdir()
    write(version, "queue.md", "queue")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "queue.md").symlink_to(os.path.join("..data", "queue.md"))  # noqa: PTH118
    assert [it.id for it in load_policies(PolicySettings(directory=tmp_path)).policies] == ["queue"]


def test_two_documents_of_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "queue")
    second = write(tmp_path, "b.md", "queue")
    with pytest.raises(PolicyError, match="another document has the id queue") as caught:
        load_policies(PolicySettings(directory=tmp_path))
    assert caught.value.file == second


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"directory": "nowhere"}, r"policies\.directory: .*nowhere is no folder"),
        ({"directory": "empty"}, r"policies\.directory: .*empty holds no policy"),
        (
            {"directory": "one", "only": ["queue", "zz", "yy"]},
            r"policies\.only: no such policy: yy, zz; there are queue",
        ),
    ],
)
def test_settings_that_find_no_policy_say_which_setting_is_wrong(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    write(tmp_path / "one", "queue.md", "queue")
    folder = tmp_path / str(settings["directory"])
    with pytest.raises(SettingsError, match=message):
        load_policies(PolicySettings.model_validate(settings | {"directory": folder}))
