"""The answer's shape: what is written is read back, and nothing else becomes an answer."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.engine.answer import (
    ANSWER_TOKENS,
    MOST_RULES,
    Answer,
    grammar,
    json_schema,
    parse,
    write,
)

RULE_IDS = st.from_regex(r"[A-Z][A-Z0-9]{0,7}[0-9]", fullmatch=True)
CLEAN = '{"violation":0,"rules":[]}'


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Answers that the grammar can produce."""
    if not draw(st.booleans()):
        return Answer(violation=False)
    return Answer(True, tuple(draw(st.lists(RULE_IDS, min_size=1, max_size=MOST_RULES))))


def pattern(element: dict[str, Any]) -> str:
    """The language of a grammar's element, as a regular expression."""
    match element["type"]:
        case "const_string":
            return re.escape(str(element["value"]))
        case "sequence":
            return "".join(pattern(it) for it in element["elements"])
        case "or":
            return "(?:" + "|".join(pattern(it) for it in element["elements"]) + ")"
    raise AssertionError(element["type"])


@given(answers())
def test_the_parser_reads_what_is_written(answer: Answer) -> None:
    found = parse(write(answer))
    assert found is not None
    assert found.answer == answer


@given(answers(), st.lists(RULE_IDS, min_size=1, max_size=5))
def test_the_grammar_allows_exactly_what_is_written_of_known_rules(
    answer: Answer, known: list[str]
) -> None:
    allowed = re.fullmatch(pattern(grammar(known)), write(answer)) is not None
    assert allowed is set(answer.rule_ids).issubset(known)


@given(st.data(), st.lists(RULE_IDS, min_size=1, max_size=5))
def test_all_that_the_grammar_allows_is_read_and_written_back_alike(
    data: st.DataObject, known: list[str]
) -> None:
    text = data.draw(st.from_regex(pattern(grammar(known)), fullmatch=True))
    found = parse(text)
    assert found is not None
    assert write(found.answer) == text


@given(answers())
def test_the_json_schema_allows_what_is_written(answer: Answer) -> None:
    import jsonschema

    jsonschema.validate(json.loads(write(answer)), json_schema(answer.rule_ids or ("H1",)))


def test_the_longest_answer_is_within_its_tokens_even_at_one_a_character() -> None:
    longest = write(Answer(True, ("ABCDEFGH9",) * MOST_RULES))
    assert len(longest) < ANSWER_TOKENS


@given(answers(), st.data())
def test_an_answer_cut_anywhere_is_no_answer(answer: Answer, data: st.DataObject) -> None:
    text = write(answer)
    assert parse(text[: data.draw(st.integers(0, len(text) - 1))]) is None


@given(st.text(), answers())
def test_text_before_the_answer_does_not_change_it_or_makes_it_none(
    text: str, answer: Answer
) -> None:
    found = parse(text + write(answer))
    assert found is None or found.answer == answer


@given(st.text(alphabet='{}[]":,01violatonrues ', max_size=80))
def test_no_text_raises_and_what_is_read_was_there_whole(text: str) -> None:
    found = parse(text)
    if found is not None:
        value = json.loads(text[found.start : found.end])
        assert isinstance(value, dict)
        assert "violation" in value


@pytest.mark.parametrize(
    "text",
    [
        '```json\n{"violation": 1, "rules": ["H1"]}\n```',
        '{"violation": "1", "rule_ids": ["H1"]}',
        '{"violation": true, "policy_category": "H1"}',
        'I think so.\n{"violation": 1, "rules": "H1", "why": "an insult"}',
        '{"violation":0,"rules":[]} would be wrong: {"violation":1,"rules":["H1"]}',
    ],
)
def test_a_known_variant_is_read(text: str) -> None:
    found = parse(text)
    assert found is not None
    assert found.answer == Answer(True, ("H1",))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no violation",
        "{}",
        "[0]",
        '{"violation":2,"rules":[]}',
        '{"violation":null,"rules":[]}',
        '{"violation":0.5,"rules":[]}',
        '{"violation":"no","rules":[]}',
        '{"violation":[0],"rules":[]}',
        '{"violation":0,"violation":1}',
        '{"violation":0,"rules":[1]}',
        '{"violation":0,"rules":{"a":1}}',
        f"{CLEAN} no wait, it does violate",
        f'{CLEAN} {{"violation":1,"rules":["H1"',
        f'{CLEAN} {{"violation":maybe}}',
        f'{CLEAN} {{"violation":7}}',
        f'{CLEAN}\n{{"reason',
        f'{CLEAN} {{"violation":1,}}',
        "{" * 100_000,
        '{"a":' * 5_000,
    ],
)
def test_what_is_incomplete_or_contradicts_itself_is_no_answer(text: str) -> None:
    assert parse(text) is None
