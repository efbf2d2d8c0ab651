"""The answer under several policies at once: its shape, its grammar, its parser.

The shape is one line of JSON, with one verdict for each policy in the order of the prompt:
`{"verdicts":[{"policy":"hate","violation":0,"rules":[]},{"policy":"spam-scams",...}]}`.

The parser trusts a verdict as far as it is certain whose it is. A policy that is left out, is named
twice or has a verdict that cannot be read has no answer; the others keep theirs. Where a verdict
names no policy, or one that nobody asked about, nobody can tell whose it was meant to be: then no
policy has an answer.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from afterguard.contracts.policies import Policy
from afterguard.engine.answer import (
    ANSWER_TOKENS,
    Answer,
    Found,
    constant,
    grammar,
    in_turn,
    json_schema,
    last_object,
    parse,
    read_answer,
    write,
)

VERDICTS: Final = "verdicts"
_POLICY: Final = "policy"
# One content is read once, however many policies there are.
_MORE_REASONING: Final = 0.25

Answers = Mapping[str, Answer | None]
"""By policy id; None for a policy that has no certain answer."""


def answer_tokens(policies: Sequence[Policy]) -> int:
    """Room for the longest answer under these policies, at one token a character."""
    if len(policies) == 1:
        return ANSWER_TOKENS
    return sum(ANSWER_TOKENS + len(policy.id) for policy in policies)


def reasoning_tokens(cap: int, policies: Sequence[Policy]) -> int:
    """Cap on the reasoning: a quarter more for each policy after the first.

    Args:
        cap: For one policy.
        policies: Those in the prompt.
    """
    return int(cap * (1 + _MORE_REASONING * (len(policies) - 1)))


def write_all(answers: Mapping[str, Answer]) -> str:
    """The answers in the shape that the grammar enforces.

    Args:
        answers: By policy id, in the order of the prompt.
    """
    verdicts = ",".join(write(answer, _before(policy_id)) for policy_id, answer in answers.items())
    return f'{{"{VERDICTS}":[{verdicts}]}}'


def answer_grammar(policies: Sequence[Policy]) -> dict[str, Any]:
    """The shape as an element of xgrammar's structural tags; for one policy, that of its answer."""
    if len(policies) == 1:
        return grammar(_rule_ids(policies[0]))
    elements = [constant(f'{{"{VERDICTS}":[')]
    for position, policy in enumerate(policies):
        elements += [constant(",")] if position else []
        elements.append(grammar(_rule_ids(policy), _before(policy.id)))
    return in_turn(*elements, constant("]}"))


def answer_schema(policies: Sequence[Policy]) -> dict[str, Any]:
    """The shape as a JSON Schema; for one policy, that of its answer.

    It leaves the order free, and lets a policy be named twice: servers that take schemas do not
    all take what would forbid it. The parser does.
    """
    if len(policies) == 1:
        return json_schema(_rule_ids(policies[0]))
    each = [_verdict_schema(policy) for policy in policies]
    verdicts = {
        "type": "array",
        "items": {"anyOf": each},
        "minItems": len(each),
        "maxItems": len(each),
    }
    return {
        "type": "object",
        "properties": {VERDICTS: verdicts},
        "required": [VERDICTS],
        "additionalProperties": False,
    }


def parse_answers(text: str, policies: Sequence[Policy]) -> Answers:
    """The answer for each policy of the prompt, as far as the text ends with one for certain."""
    if len(policies) == 1:
        found = parse(text)
        return {policies[0].id: found.answer if found else None}
    ids = [policy.id for policy in policies]
    none: Answers = dict.fromkeys(ids)
    listed = listing(text)
    return none if listed is None else _by_policy(listed.answer, ids) or none


def listing(text: str) -> Found[list[Any]] | None:
    """The list of verdicts, unread, with which the text ends; None when there is none."""
    return last_object(text, VERDICTS, _list)


def _list(value: dict[str, Any]) -> list[Any] | None:
    listed = value[VERDICTS]
    return listed if isinstance(listed, list) else None


def _by_policy(listed: list[Any], ids: Sequence[str]) -> Answers | None:
    answers: dict[str, Answer | None] = {}
    for it in listed:
        named = it.get(_POLICY) if isinstance(it, dict) else None
        if not isinstance(named, str) or named not in ids:
            return None
        answers[named] = None if named in answers else read_answer(it)
    return {policy_id: answers.get(policy_id) for policy_id in ids}


def _verdict_schema(policy: Policy) -> dict[str, Any]:
    schema = json_schema(_rule_ids(policy))
    named = {"type": "string", "enum": [policy.id]}
    return schema | {
        "properties": {_POLICY: named, **schema["properties"]},
        "required": [_POLICY, *schema["required"]],
    }


def _before(policy_id: str) -> str:
    return f'"{_POLICY}":"{policy_id}",'


def _rule_ids(policy: Policy) -> list[str]:
    return [rule.id for rule in policy.rules]
