"""The shipped policies: each is valid, well formed, and agrees with the others."""

import re
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest
from tests.conftest import missing
from tests.policy.documents import BODY, PATH, document
from tests.samples import chat_event

from afterguard.contracts.errors import EngineUnavailable
from afterguard.contracts.policies import Policy, Stage
from afterguard.contracts.words import Action, Severity
from afterguard.engine.formats.harmony import Harmony
from afterguard.policy.document import parse_policy
from afterguard.policy.lint import clashes, lint
from afterguard.policy.lint_body import FEWEST_TOKENS, MOST_TOKENS
from afterguard.policy.registry import load_policies, policy_files, shipped_policies
from afterguard.policy.settings import PolicySettings

FILES = {path.stem: path for path in policy_files(shipped_policies())}
NAMES = ["game-cheating", "harassment", "hate", "illicit-goods", "self-harm", "spam-scams"]


@cache
def shipped(name: str) -> Policy:
    policy = load_policies(PolicySettings(only=[name])).by_id(name)
    assert policy is not None
    return policy


@pytest.fixture(scope="module")
def count_tokens() -> Callable[[str], int]:
    try:
        encode = Harmony({}).encode
    except EngineUnavailable as error:
        missing(f"the harmony vocabulary ({error})")
        raise
    return lambda text: len(encode(text))


def applicable(**event: object) -> set[str]:
    found, _ = load_policies(PolicySettings()).applicable(chat_event(**event))
    return {policy.id for policy in found}


def test_the_example_that_the_docs_explain_is_a_valid_head() -> None:
    page = (shipped_policies().parent / "docs/policy-fields.md").read_text(encoding="utf-8")
    example = page.split("```markdown\n")[1].split("```")[0]
    head = example.removeprefix("---\n").split("---\n")[0]
    policy = parse_policy(document(head, BODY), PATH)
    assert (policy.id, policy.applies_to.languages) == ("queue-jumping", ("en", "de"))


def test_the_six_policies_are_there() -> None:
    assert sorted(FILES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_named_after_its_policy(name: str) -> None:
    assert shipped(name).id == name


@pytest.mark.parametrize("name", NAMES)
def test_each_lints_without_a_warning(name: str, count_tokens: Callable[[str], int]) -> None:
    found = lint(FILES[name].read_text(encoding="utf-8"), FILES[name], count_tokens)
    assert [str(it) for it in (*found.faults, *found.warnings)] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_has_the_length_that_is_followed_best(
    name: str, count_tokens: Callable[[str], int]
) -> None:
    assert FEWEST_TOKENS <= count_tokens(shipped(name).body) <= MOST_TOKENS


def test_rule_ids_are_unique_across_policies() -> None:
    reports = [lint(path.read_text(encoding="utf-8"), path, None) for path in FILES.values()]
    assert [str(it) for report in clashes(reports) for it in report.warnings] == []
    ids = Counter(rule.id for name in NAMES for rule in shipped(name).rules)
    assert [rule_id for rule_id, times in ids.items() if times > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_graver_rule_is_never_answered_more_mildly_where_nobody_is_asked(name: str) -> None:
    acting = [rule for rule in shipped(name).rules if rule.action is not Action.ESCALATE]
    for rule in acting:
        milder = [it for it in acting if it.severity.rank < rule.severity.rank]
        assert all(it.action.rank <= rule.action.rank for it in milder), rule.id


@pytest.mark.parametrize("name", NAMES)
def test_each_has_a_rule_for_doubt_that_asks_a_person(name: str) -> None:
    doubt = shipped(name).rules[-1]
    assert (doubt.title, doubt.action) == ("In doubt", Action.ESCALATE)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_active_and_has_a_band_of_uncertain_scores(name: str) -> None:
    assert shipped(name).stage is Stage.ACTIVE
    assert shipped(name).uncertain is not None


@pytest.mark.parametrize("name", NAMES)
def test_no_policy_moves_events_to_another_lane(name: str) -> None:
    assert shipped(name).lane is None


@pytest.mark.parametrize("name", NAMES)
def test_each_has_an_example_of_doubt_and_one_that_is_not_english(name: str) -> None:
    _, examples = shipped(name).body.split("## Examples")
    items = re.findall(r"^- .+$", examples, re.MULTILINE)
    assert any(f"{shipped(name).rules[-1].id}:" in item for item in items)
    foreign = ("Ich ", "Las ", "ya no ", "Votre ", "wo bekommt ", "alguien ")
    assert any(word in item for item in items for word in foreign)


def test_a_person_in_danger_is_helped_and_never_removed() -> None:
    policy = shipped("self-harm")
    for rule_id in ("SH1", "SH2", "SH6"):
        rule = policy.rule(rule_id)
        assert rule is not None
        assert rule.action is Action.ESCALATE
    danger = policy.rule("SH1")
    assert danger is not None
    assert danger.severity is Severity.CRITICAL


@pytest.mark.parametrize("rule_id", ["SH5", "IG4"])
def test_an_assistant_is_stopped_only_by_rules_about_assistants(rule_id: str) -> None:
    stopping = [
        rule
        for name in NAMES
        for rule in shipped(name).rules
        if rule.action is Action.STOP_GENERATION
    ]
    assert rule_id in {rule.id for rule in stopping}
    assert all("assistant" in rule.title for rule in stopping)


def test_a_message_of_a_game_is_judged_under_all_six() -> None:
    assert applicable(tenant="game-eu") == set(NAMES)


def test_cheating_is_judged_in_games_alone() -> None:
    assert applicable(tenant="shop") == set(NAMES) - {"game-cheating"}
    assert applicable() == set(NAMES) - {"game-cheating"}


def test_a_piece_of_a_completion_is_judged_under_what_may_stop_it() -> None:
    piece = {"kind": "completion_chunk", "author": {"id": "bot", "role": "assistant"}}
    assert applicable(**piece, tenant="game-eu") == {
        "harassment",
        "hate",
        "illicit-goods",
        "self-harm",
    }


@pytest.mark.parametrize("role", ["system", "tool"])
def test_what_nobody_said_to_anybody_is_not_judged(role: str) -> None:
    assert applicable(author={"id": "a", "role": role}, tenant="game-eu") == set()
