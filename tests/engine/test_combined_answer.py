"""The answer under several policies: what is certain counts, and only for its policy."""

import json
import re
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import samples
from tests.engine.test_answer import pattern

from afterguard.engine.answer import ANSWER_TOKENS, MOST_RULES, Answer, grammar, json_schema
from afterguard.engine.combined_answer import (
    Answers,
    answer_grammar,
    answer_schema,
    answer_tokens,
    parse_answers,
    reasoning_tokens,
    write_all,
)
from afterguard.flow.findings import read
from afterguard.flow.ports import Judgement, JudgementStatus

THREE = tuple(samples.policy(id=name) for name in ("harassment", "hate", "spam-scams"))
IDS = [policy.id for policy in THREE]
RULES = ("H1", "H2")
NO, YES = Answer(violation=False), Answer(True, ("H1",))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers that the grammar can produce."""
    if not draw(st.booleans()):
        return NO
    cited = st.lists(st.sampled_from(RULES), min_size=1, max_size=MOST_RULES)
    return Answer(True, tuple(draw(cited)))


ALL = st.tuples(answers(), answers(), answers()).map(lambda told: dict(zip(IDS, told, strict=True)))


def _verdict(policy: object, violation: object = 0, *rules: str) -> dict[str, object]:
    return {"policy": policy, "violation": violation, "rules": list(rules)}


def _read(*verdicts: object) -> Answers:
    return parse_answers(json.dumps({"verdicts": verdicts}), THREE)


@given(ALL)
def test_what_is_written_for_all_is_read_for_each(told: dict[str, Answer]) -> None:
    assert parse_answers(write_all(told), THREE) == told


@given(ALL)
def test_the_grammar_allows_what_is_written_in_the_order_of_the_policies(
    told: dict[str, Answer],
) -> None:
    allowed = pattern(answer_grammar(THREE))
    assert re.fullmatch(allowed, write_all(told))
    assert not re.fullmatch(allowed, write_all(dict(reversed(told.items()))))


@given(st.data())
def test_all_that_the_grammar_allows_is_an_answer_under_every_policy(data: st.DataObject) -> None:
    text = data.draw(st.from_regex(pattern(answer_grammar(THREE)), fullmatch=True))
    read = parse_answers(text, THREE)
    assert list(read) == IDS
    assert write_all({name: it for name, it in read.items() if it}) == text


@given(ALL)
def test_the_json_schema_allows_what_is_written(told: dict[str, Answer]) -> None:
    jsonschema.validate(json.loads(write_all(told)), answer_schema(THREE))


@pytest.mark.parametrize(
    "verdicts",
    [
        [_verdict("harassment"), _verdict("hate")],
        [*map(_verdict, IDS), _verdict("other")],
        [_verdict("harassment", 1, "ZZ9"), _verdict("hate"), _verdict("spam-scams")],
    ],
)
def test_the_json_schema_asks_for_each_policy_and_for_rules_that_are_known(
    verdicts: list[dict[str, object]],
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"verdicts": verdicts}, answer_schema(THREE))


def test_for_one_policy_everything_is_as_it_is_alone() -> None:
    one = THREE[:1]
    assert answer_grammar(one) == grammar(RULES)
    assert answer_schema(one) == json_schema(RULES)
    assert parse_answers('{"violation":1,"rules":["H1"]}', one) == {"harassment": YES}
    assert (reasoning_tokens(512, one), answer_tokens(one)) == (512, ANSWER_TOKENS)


def test_the_reasoning_may_be_a_quarter_longer_for_each_further_policy() -> None:
    assert [reasoning_tokens(512, THREE[:count]) for count in (1, 2, 3)] == [512, 640, 768]


def test_the_longest_answer_is_within_its_tokens_even_at_one_a_character() -> None:
    many = [samples.policy(id=f"p{number}-{'x' * 60}") for number in range(6)]
    longest = Answer(True, ("ABCDEFGH9",) * MOST_RULES)
    assert len(write_all({policy.id: longest for policy in many})) < answer_tokens(many)
    assert len(write_all(dict.fromkeys(IDS[:2], longest))) < answer_tokens(THREE[:2])


@given(ALL, st.data())
def test_an_answer_cut_anywhere_answers_under_no_policy(
    told: dict[str, Answer], data: st.DataObject
) -> None:
    text = write_all(told)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    assert parse_answers(cut, THREE) == dict.fromkeys(IDS)


@given(st.text(), ALL)
def test_text_before_the_answer_changes_no_verdict_or_takes_all(
    text: str, told: dict[str, Answer]
) -> None:
    assert parse_answers(text + write_all(told), THREE) in (told, dict.fromkeys(IDS))


@given(st.text(alphabet='{}[]":,01policyverdtsan ', max_size=80))
def test_no_text_raises_and_every_policy_is_told_of(text: str) -> None:
    assert list(parse_answers(text, THREE)) == IDS


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from([*IDS, "other", "0", "1", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["policy", "violation", "rules", "x"]), inner, max_size=4)
    ),
)


@given(st.lists(VALUES | ALL.map(lambda told: _verdict(*next(iter(told.items())))), max_size=5))
def test_only_a_policy_named_once_with_a_label_of_ours_has_an_answer(listed: list[Any]) -> None:
    for name, answer in parse_answers(json.dumps({"verdicts": listed}), THREE).items():
        named = [it for it in listed if isinstance(it, dict) and it.get("policy") == name]
        if answer is not None:
            assert len(named) == 1
            assert str(named[0]["violation"]).lower() in (
                ("1", "true") if answer.violation else ("0", "false")
            )


def test_a_policy_that_is_left_out_has_no_answer_and_the_others_keep_theirs() -> None:
    read = _read(_verdict("harassment"), _verdict("spam-scams", 1, "H1"))
    assert read == {"harassment": NO, "hate": None, "spam-scams": YES}


@pytest.mark.parametrize("again", [0, 1])
def test_a_policy_named_twice_has_no_answer_even_when_both_agree(again: int) -> None:
    read = _read(*map(_verdict, IDS), _verdict("hate", again))
    assert read == {"harassment": NO, "hate": None, "spam-scams": NO}


@pytest.mark.parametrize("label", [2, None, "no", 0.5, [0]])
def test_a_verdict_with_an_unknown_label_is_no_answer_for_its_policy_alone(label: object) -> None:
    read = _read(_verdict("harassment"), _verdict("hate", label), _verdict("spam-scams"))
    assert read == {"harassment": NO, "hate": None, "spam-scams": NO}


@pytest.mark.parametrize(
    "stranger",
    [_verdict("haet", 1), _verdict(None, 1), _verdict(7), {"violation": 1}, "hate", 0, None, []],
)
def test_a_verdict_of_which_nobody_knows_whose_it_is_leaves_no_answer(stranger: object) -> None:
    assert _read(*map(_verdict, IDS), stranger) == dict.fromkeys(IDS)


@pytest.mark.parametrize(
    "text",
    [
        "```json\n{}\n```",
        "They greet each other.\n{}",
        '{"verdicts":[]} would be wrong: {}',
        '{"violation":1,"rules":["H1"]} {}',
    ],
)
def test_a_known_variant_is_read(text: str) -> None:
    told = dict.fromkeys(IDS, NO)
    assert parse_answers(text.replace("{}", write_all(told)), THREE) == told


@pytest.mark.parametrize(
    "text",
    [
        "{} no wait, it is hate",
        '{} {"violation":1,"rules":["H1"]}',
        '{} {"verdicts":[',
        '{} {"verdicts":7}',
        '{"answer":{}}',
        '{"violation":0,"rules":[]}',
        '{"verdicts":[{"policy":"hate","policy":"harassment","violation":0},{}]}',
        '{"verdicts":[],"verdicts":[]}',
        "[{}]",
    ],
)
def test_what_is_taken_back_or_of_another_shape_is_no_answer(text: str) -> None:
    text = text.replace("{}", write_all(dict.fromkeys(IDS, NO)))
    assert parse_answers(text, THREE) == dict.fromkeys(IDS)


def test_a_rule_of_another_policy_is_kept_as_written_and_found_unknown_there() -> None:
    other = samples.policy(
        id="hate", rules=[{"id": "HT1", "title": "Slurs", "severity": "high", "action": "remove"}]
    )
    two = (THREE[0], other)
    told = write_all(dict.fromkeys(("harassment", "hate"), Answer(True, ("HT1",))))
    for policy, answer in zip(two, parse_answers(told, two).values(), strict=True):
        assert answer is not None
        judged = Judgement(JudgementStatus.ANSWERED, answer.violation, answer.rule_ids)
        assert read(judged, policy).unknown_rules == (() if policy is other else ("HT1",))
