"""A row as its file has it: labels under the names of the file, not yet those of policies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from afterguard.contracts.events import ChatEvent

# No model reads the time of an event, and equal rows must be equal events.
_WHEN: Final = datetime(2026, 1, 1, tzinfo=UTC)
_AUTHOR: Final = "evaluation"
_YES: Final = frozenset({"1", "1.0", "true", "yes", "y"})
_NO: Final = frozenset({"0", "0.0", "false", "no", "n"})


class Unusable(Exception):
    """A row that cannot be used; the message says why, without quoting its text."""


@dataclass(slots=True)
class RawRow:
    """What a form makes of one row.

    Attributes:
        event: Fields of a chat event; `content` at least.
        labels: By the name that the file uses, whether it violates; None when nobody knows.
        rules: By the same names, rules of which at least one should be cited.
        row_id: As the file has it; made from the line when None.
        tags: The slices that it belongs to.
        variant_of: The row that it disguises.
    """

    event: dict[str, Any]
    labels: dict[str, bool | None]
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    row_id: str | None = None
    tags: tuple[str, ...] = ()
    variant_of: str | None = None


def label_of(value: object, name: str) -> bool | None:
    """A label as a truth value; None for one that is not given.

    Raises:
        Unusable: It is neither; a label that was misread would be worse than none.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if value in {0, 1}:
            return bool(value)
    elif isinstance(value, str):
        word = value.strip().lower()
        if not word:
            return None
        if word in _YES | _NO:
            return word in _YES
    raise Unusable(f"{name}: a label must be 0, 1, true, false or empty")


def text_of(value: object, name: str) -> str:
    """A field that must be text.

    Raises:
        Unusable: It is missing, of another type, or blank.
    """
    if not isinstance(value, str) or not value.strip():
        raise Unusable(f"{name}: there is no text")
    return value


def event_of(fields: Mapping[str, Any], row_id: str) -> ChatEvent:
    """The chat event of a row; what is missing is filled in.

    Raises:
        Unusable: The fields are no chat event, or nothing is said in it.
    """
    content = fields.get("content")
    kind = "conversation" if isinstance(content, list) else "message"
    filled: dict[str, Any] = {
        "event_id": row_id,
        "occurred_at": _WHEN,
        "kind": kind,
        "conversation_id": row_id,
        "author": {"id": _AUTHOR},
    }
    try:
        event = ChatEvent.model_validate(
            filled | {k: v for k, v in fields.items() if v is not None}
        )
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        if fault["type"] == "string_unicode":
            raise Unusable("not UTF-8") from None
        if fault["loc"][:1] == ("content",) and content is not None:
            why = "content: must be text, or turns with a role and a text"
            raise Unusable(why) from None
        field = ".".join(str(step) for step in fault["loc"]) or "event"
        raise Unusable(f"{field}: {fault['type']}") from None
    if event.is_blank:
        raise Unusable("content: there is no text")
    return event
