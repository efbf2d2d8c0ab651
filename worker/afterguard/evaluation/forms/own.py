"""Our own form: JSON lines, a JSON array, CSV or TSV; docs/evaluation.md describes it.

A JSON row holds `text` (or `content`, or a whole chat event under `event`) and `labels`, by policy
id. A table has columns such as `labels.hate` instead. Golden sets can be read so, too: their
`expect` is a label for the policy that the file is named after.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from afterguard.contracts.events import ChatEvent
from afterguard.contracts.words import Outcome, Role
from afterguard.evaluation.forms.raw_row import RawRow, Unusable, label_of

# Of a row that has one label alone; which policy it is for is said by the label map.
ONE_LABEL: Final = "label"
_EXPECT: Final = "expect"
_OUTCOMES: Final = {Outcome.VIOLATION.value: True, Outcome.NO_VIOLATION.value: False}
_EVENT_FIELDS: Final = frozenset(ChatEvent.model_fields) - {"content", "author", "policies"}
_WORDS: Final = re.compile(r"[,;\s]+")


def is_own(fields: Mapping[str, Any]) -> bool:
    """Whether a row can be of this form."""
    return bool({"text", "content", "event"} & fields.keys())


def read_own(fields: Mapping[str, Any]) -> RawRow:
    """The row.

    Raises:
        Unusable: A label, a rule or a tag is not what it must be.
    """
    return RawRow(
        _event(fields),
        _labels(fields),
        _rules(fields),
        row_id=_optional(fields.get("id", fields.get("row_id")), "id"),
        tags=_words(fields.get("tags"), "tags"),
        variant_of=_optional(fields.get("variant_of"), "variant_of"),
    )


def _event(fields: Mapping[str, Any]) -> dict[str, Any]:
    whole = fields.get("event")
    if whole is not None:
        if not isinstance(whole, dict):
            raise Unusable("event: must be an object with the fields of a chat event")
        return dict(whole)
    event = {name: fields[name] for name in _EVENT_FIELDS & fields.keys()}
    event["content"] = _content(fields.get("content", fields.get("text")))
    author = fields.get("author")
    role = fields.get("role")
    if isinstance(author, dict):
        event["author"] = {"id": "evaluation"} | author
    elif role is not None:
        event["author"] = {"id": "evaluation", "role": role}
    return event


def _content(said: object) -> object:
    """Turns without a role are the user's, as in golden sets."""
    if not isinstance(said, list):
        return said
    return [{"role": Role.USER} | turn if isinstance(turn, dict) else turn for turn in said]


def _labels(fields: Mapping[str, Any]) -> dict[str, bool | None]:
    given = _mapping(fields, "labels")
    labels = {str(name): label_of(value, f"labels.{name}") for name, value in given.items()}
    if ONE_LABEL in fields:
        labels[_policy(fields)] = label_of(fields[ONE_LABEL], ONE_LABEL)
    elif _EXPECT in fields:
        labels[_policy(fields)] = _OUTCOMES.get(str(fields[_EXPECT]))
        if labels[_policy(fields)] is None:
            raise Unusable(f"{_EXPECT}: must be violation or no_violation")
    return labels


def _rules(fields: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    whole = fields.get("rules")
    if isinstance(whole, str | list):
        return {_policy(fields): _words(whole, "rules")}
    given = _mapping(fields, "rules")
    return {str(name): _words(value, f"rules.{name}") for name, value in given.items()}


def _policy(fields: Mapping[str, Any]) -> str:
    policy = fields.get("policy")
    return policy if isinstance(policy, str) else ONE_LABEL


def _mapping(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, or the columns that stand for its fields."""
    whole = fields.get(name)
    if whole is not None and not isinstance(whole, dict):
        raise Unusable(f"{name}: must be an object by policy id")
    prefix = f"{name}."
    columns = {
        column.removeprefix(prefix): value
        for column, value in fields.items()
        if column.startswith(prefix)
    }
    return dict(whole or {}) | columns


def _words(value: object, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(word for word in _WORDS.split(value) if word)
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise Unusable(f"{name}: must be a list of words")


def _optional(value: object, name: str) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise Unusable(f"{name}: must be text or a number")
