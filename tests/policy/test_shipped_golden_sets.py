"""The shipped golden sets: broad enough to say something, and free of slips."""

import re
from collections import Counter
from functools import cache

import pytest
from tests.house.source import ROOT

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Kind
from afterguard.policy.document import read_policy
from afterguard.policy.golden import golden_path, read_golden
from afterguard.policy.labelled import LabelledRow
from afterguard.policy.registry import policy_files, shipped_policies

FILES = {path.stem: path for path in policy_files(shipped_policies())}
BORDERS = {
    "assistant", "banter", "border", "conversation", "criticism", "doubt", "fiction", "joke",
    "news", "question", "quote", "report", "support", "trade", "veiled",
}  # fmt: skip
DISGUISES = {
    "authority", "base64", "control-tokens", "forged-verdict", "homoglyphs", "injection",
    "leetspeak", "role-play", "spaced", "split", "translated", "zero-width",
}  # fmt: skip
everywhere = pytest.mark.parametrize("name", sorted(FILES))


@cache
def shipped(name: str) -> tuple[Policy, tuple[LabelledRow, ...]]:
    policy = read_policy(FILES[name])
    return policy, tuple(read_golden(golden_path(FILES[name]), policy))


def own(name: str) -> list[LabelledRow]:
    return [row for row in shipped(name)[1] if row.variant_of is None]


def variants(name: str) -> list[LabelledRow]:
    return [row for row in shipped(name)[1] if row.variant_of is not None]


def said(row: LabelledRow) -> str:
    content = row.event.content
    return content if isinstance(content, str) else "\n".join(turn.text for turn in content)


def test_every_policy_has_a_set_and_every_set_a_policy() -> None:
    sets = {path.stem for path in (shipped_policies() / "golden").glob("*.jsonl")}
    assert sets == set(FILES)


@everywhere
def test_each_has_enough_rows_of_its_own(name: str) -> None:
    assert len(own(name)) >= 35


@everywhere
def test_each_rule_has_a_row_that_violates_it(name: str) -> None:
    policy, _ = shipped(name)
    cited = {rule for row in own(name) for rule in row.rules.get(policy.id, ())}
    assert {rule.id for rule in policy.rules} <= cited


@everywhere
def test_each_violation_says_which_rules_may_be_cited(name: str) -> None:
    policy, rows = shipped(name)
    assert [it.row_id for it in rows if it.expected[policy.id] and policy.id not in it.rules] == []


@everywhere
def test_three_in_ten_rows_at_least_are_of_either_label(name: str) -> None:
    labels = Counter(row.expected[name] for row in own(name))
    assert min(labels[True], labels[False]) >= len(own(name)) * 0.3


@everywhere
def test_each_row_says_of_which_language_it_is(name: str) -> None:
    assert [row.row_id for row in shipped(name)[1] if not row.event.language] == []


@everywhere
def test_no_language_stands_for_a_label(name: str) -> None:
    labels: dict[str | None, set[bool]] = {}
    for row in own(name):
        labels.setdefault(row.event.language, set()).add(row.expected[name])
    assert set(labels) == {"en", "de", "es", "fr", "ru", "ar", "hi", "ja"}
    assert all(found == {True, False} for found in labels.values())


@everywhere
def test_tags_are_of_a_closed_list(name: str) -> None:
    for row in shipped(name)[1]:
        tags = {tag for tag in row.tags if not tag.startswith("lang:")}
        assert tags <= BORDERS | DISGUISES
        if row.variant_of is None:
            assert not tags & DISGUISES
        else:
            assert len(tags & DISGUISES) == 1


@everywhere
def test_every_disguise_is_there_and_some_disguise_harmless_rows(name: str) -> None:
    tags = {tag for row in variants(name) for tag in row.tags}
    assert tags >= DISGUISES
    assert {row.expected[name] for row in variants(name)} == {True, False}


@everywhere
def test_conversations_are_there(name: str) -> None:
    assert any(row.event.kind is Kind.CONVERSATION for row in own(name))


@everywhere
def test_no_text_is_there_twice(name: str) -> None:
    texts = Counter(said(row) for row in shipped(name)[1])
    assert [text for text, times in texts.items() if times > 1] == []


@everywhere
def test_no_row_is_an_example_of_its_policy(name: str) -> None:
    body = shipped(name)[0].body
    assert [row.row_id for row in shipped(name)[1] if said(row) in body] == []


def test_ids_are_unique_over_all_sets() -> None:
    ids = Counter(row.row_id for name in FILES for row in shipped(name)[1])
    assert [it for it, times in ids.items() if times > 1] == []


def test_the_docs_name_every_tag() -> None:
    page = (ROOT / "docs" / "golden-sets.md").read_text(encoding="utf-8")
    paragraph = page.split("The tags of the shipped sets:")[1].split("Their rows")[0]
    assert set(re.findall("`([a-z0-9-]+)`", paragraph)) == BORDERS | DISGUISES
