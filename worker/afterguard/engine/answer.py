"""The model's final answer: its shape, the grammar that enforces it, the parser that reads it.

The shape is one line of JSON without any freedom in white space:
`{"violation":0,"rules":[]}`, or `{"violation":1,"rules":["H1"]}` with one to three rule ids.
The parser also reads what a model writes when no grammar holds it, and never guesses: whatever is
incomplete, contradicts itself or is of another shape is no answer.
"""

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, NamedTuple, TypeVar

MOST_RULES: Final = 3
# One token a character at the very worst, for the longest answer and a format's own framing.
ANSWER_TOKENS: Final = 96

_MOST_CITED: Final = 16
_RULE_FIELDS: Final = ("rules", "rule_ids", "policy_category", "category")
_LABELS: Final[dict[object, bool]] = {"0": False, "1": True, "false": False, "true": True}
_SPLIT: Final = re.compile(r"[,;\s]+")
_LEFT_OPEN: Final = re.compile(r'\{\s*"')
# After the answer may come the end of a code fence. More would be an afterthought, and an answer
# that the model took back must not count.
_NOTHING_MORE: Final = re.compile(r"[\s`]*")


class Answer(NamedTuple):
    """What the model answered: its label, and the rules as it wrote them."""

    violation: bool
    rule_ids: tuple[str, ...] = ()


Said = TypeVar("Said")


class Found(NamedTuple, Generic[Said]):
    """An answer and where it stands in the text."""

    answer: Said
    start: int
    end: int


def write(answer: Answer, before: str = "") -> str:
    """The answer in the shape that the grammar enforces.

    Args:
        answer: What is written.
        before: As in `grammar`.
    """
    rules = ",".join(f'"{rule_id}"' for rule_id in answer.rule_ids)
    return f'{{{before}"violation":{int(answer.violation)},"rules":[{rules}]}}'


def grammar(rule_ids: Sequence[str], before: str = "") -> dict[str, Any]:
    """The shape as an element of xgrammar's structural tags.

    Args:
        rule_ids: Those that may be cited; at least one.
        before: Fields that stand before the label, each with its comma.
    """
    rule = _either(*(constant(rule_id) for rule_id in rule_ids))
    cited = in_turn(rule, constant('"]}'))
    for _ in range(MOST_RULES - 1):
        cited = in_turn(rule, _either(constant('"]}'), in_turn(constant('","'), cited)))
    violation = in_turn(constant('1,"rules":["'), cited)
    opening = constant(f'{{{before}"violation":')
    return in_turn(opening, _either(constant('0,"rules":[]}'), violation))


def json_schema(rule_ids: Sequence[str]) -> dict[str, Any]:
    """The shape as a JSON Schema, for servers that know no structural tags."""
    return {
        "type": "object",
        "properties": {
            "violation": {"type": "integer", "enum": [0, 1]},
            "rules": {
                "type": "array",
                "items": {"type": "string", "enum": list(rule_ids)},
                "maxItems": MOST_RULES,
            },
        },
        "required": ["violation", "rules"],
        "additionalProperties": False,
    }


def parse(text: str) -> Found[Answer] | None:
    """The complete answer with which the text ends; None when there is none for certain.

    Text before it and a code fence around it are allowed, and so are the labels "0", "1", true and
    false and the field names `rule_ids` and `policy_category`.
    """
    return last_object(text, "violation", read_answer)


def last_object(
    text: str, field: str, read: Callable[[dict[str, Any]], Said | None]
) -> Found[Said] | None:
    """What is read of the object with which the text ends; None when that is not certain.

    An object left open makes the whole text no answer; so does a broken object with the field, or
    one that cannot be read, in the last place, and any text after it. What an object says twice it
    does not say at all.

    Args:
        text: What the model wrote.
        field: An object without it is not looked at.
        read: The answer that an object is, or None when it is none.
    """
    found: Found[Said] | None = None
    position = text.find("{")
    while position >= 0:
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            end = position + 1
            piece = text[position : _or_end(text, text.find("{", end))]
            if "}" not in piece and _LEFT_OPEN.match(piece):
                return None
            if f'"{field}"' in piece:
                found = None
        else:
            if field in value:
                answer = read(value)
                found = None if answer is None else Found(answer, position, end)
        position = text.find("{", end)
    if found is not None and not _NOTHING_MORE.fullmatch(text, found.end):
        return None
    return found


def read_answer(value: dict[str, Any]) -> Answer | None:
    """The answer that an object is; None without a label or with citations that are none."""
    label = value.get("violation")
    if isinstance(label, str):
        violation = _LABELS.get(label.strip().lower())
    elif isinstance(label, int) and label in {0, 1}:
        violation = bool(label)
    else:
        violation = None
    rule_ids = _cited(value)
    if violation is None or rule_ids is None:
        return None
    return Answer(violation, rule_ids)


def _cited(value: dict[str, Any]) -> tuple[str, ...] | None:
    cited = next((value[field] for field in _RULE_FIELDS if field in value), None)
    if cited is None:
        return ()
    if isinstance(cited, str):
        cited = _SPLIT.split(cited.strip())
    if not isinstance(cited, list) or len(cited) > _MOST_CITED:
        return None
    if not all(isinstance(rule_id, str) for rule_id in cited):
        return None
    return tuple(rule_id.strip() for rule_id in cited if rule_id.strip())


def _or_end(text: str, position: int) -> int:
    return position if position >= 0 else len(text)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else dict.fromkeys(fields)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unambiguous)


def constant(value: str) -> dict[str, Any]:
    """An element of a structural tag: this text and no other."""
    return {"type": "const_string", "value": value}


def _either(*elements: dict[str, Any]) -> dict[str, Any]:
    return elements[0] if len(elements) == 1 else {"type": "or", "elements": list(elements)}


def in_turn(*elements: dict[str, Any]) -> dict[str, Any]:
    """An element of a structural tag: all of these in a row."""
    return {"type": "sequence", "elements": list(elements)}
