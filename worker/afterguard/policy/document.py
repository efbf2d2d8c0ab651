"""A policy document: Markdown with YAML front matter, read into a `Policy`.

Every fault is found in one reading and told with file, line and field.
"""

import re
import unicodedata
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ValidationError

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import (
    AppliesTo,
    DedicatedClassifier,
    Policy,
    Prefilter,
    Rule,
    SecondLook,
)
from afterguard.policy.body import Body, Line, missing_parts, unknown_citations
from afterguard.policy.faults import in_words, together
from afterguard.policy.front_matter import FrontMatter, read_front_matter

# Ten times what the model can still follow; anything larger was put here by mistake.
MOST_BYTES: Final = 256 * 1024

_FENCE: Final = "---"
_OURS: Final = ("body", "version")
_LINE_END: Final = re.compile(r"\r\n|\r|\n")
# What editors show as nothing, or as a line end that YAML or Markdown does not see as one.
_UNREADABLE: Final = re.compile(
    "[^\t\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
)


class Document(NamedTuple):
    """A document in its two halves.

    Attributes:
        text: Normalised.
        front: What stands between the fences.
        body: What the model reads.
    """

    text: str
    front: str
    body: Body


def read_policy(path: Path) -> Policy:
    """The policy of a document.

    Raises:
        PolicyError: The first fault; `others` of it holds the rest.
    """
    return parse_policy(read_text(path), path)


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The text of a document; links are followed, for a mounted folder is made of them.

    Args:
        path: The document.
        most_bytes: What is larger is not read.

    Raises:
        PolicyError: It is missing, no file, too large or no UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise PolicyError("is not a file", file=path)
        with path.open("rb") as file:
            raw = file.read(most_bytes + 1)
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", file=path) from None
    if len(raw) > most_bytes:
        raise PolicyError(f"is larger than {most_bytes // 1024} KiB", file=path)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = len(_LINE_END.split(raw[: error.start].decode()))
        raise PolicyError("is not UTF-8 text", file=path, line=line) from None


def parse_policy(text: str, path: Path) -> Policy:
    """The policy of a document's text; `path` is for messages.

    Raises:
        PolicyError: The first fault by line; `others` of it holds the rest.
    """
    document = split(text, path)
    front = read_front_matter(document.front, path)
    faults = [*front.faults, *_body_faults(document.body, front, path)]
    policy = None
    if front.fields is not None:
        faults += _field_faults(front, path)
        ours = {
            "body": document.body.text,
            "version": sha256(document.text.encode()).hexdigest()[:16],
        }
        try:
            policy = Policy.model_validate(front.fields | ours)
        except ValidationError as error:
            faults += [_fault(it, front, path) for it in error.errors(include_url=False)]
    if faults or policy is None:
        raise together(faults)
    return policy


def split(text: str, path: Path) -> Document:
    """The halves of a document.

    Raises:
        PolicyError: It has no front matter, or holds characters that nobody can see.
    """
    text = normalised(text)
    lines = text.split("\n")[:-1]
    unreadable = [
        PolicyError(f"holds the control character U+{ord(it.group()):04X}", file=path, line=number)
        for number, line in enumerate(lines, start=1)
        if (it := _UNREADABLE.search(line))
    ]
    if unreadable:
        raise together(unreadable)
    if lines[0] != _FENCE:
        raise PolicyError("must begin with front matter: a line `---`", file=path, line=1)
    try:
        end = lines.index(_FENCE, 1)
    except ValueError:
        raise PolicyError(
            "the front matter is not closed by a line `---`", file=path, line=1
        ) from None
    body = Body(tuple(Line(end + 2 + at, line) for at, line in enumerate(lines[end + 1 :])))
    return Document(text, "\n".join(lines[1:end]), body)


def normalised(text: str) -> str:
    """The text by which a version is told: NFC, no byte order mark, no blanks at line ends.

    Blank lines before the text stay, so that line numbers are those of an editor.
    """
    text = unicodedata.normalize("NFC", text).lstrip("\ufeff")
    lines = [line.rstrip() for line in _LINE_END.split(text)]
    return "\n".join(lines).rstrip() + "\n"


def _body_faults(body: Body, front: FrontMatter, path: Path) -> Iterator[PolicyError]:
    found = [*missing_parts(body)]
    if front.fields is not None:
        found += unknown_citations(body, _rule_ids(front.fields))
    for line, message in found:
        yield PolicyError(message, file=path, line=line, field="body")


def _field_faults(front: FrontMatter, path: Path) -> Iterator[PolicyError]:
    """What the model of a policy does not say."""
    fields = front.fields or {}
    for name in _OURS:
        if name in fields:
            yield PolicyError(
                "is set by the loader", file=path, line=front.lines.get(name), field=name
            )
    rule_ids = _rule_ids(fields)
    for number, rule_id in enumerate(rule_ids):
        if rule_id and rule_id in rule_ids[:number]:
            field = f"rules.{number}.id"
            yield PolicyError(
                f"{rule_id} is there twice", file=path, line=front.lines.get(field), field=field
            )


def _rule_ids(fields: dict[str, Any]) -> list[str]:
    """The ids as they are written, for a document whose other fields may be wrong."""
    rules = fields.get("rules")
    if not isinstance(rules, list):
        return []
    ids = [rule.get("id") if isinstance(rule, dict) else None for rule in rules]
    return [it if isinstance(it, str) else "" for it in ids]


def _fault(fault: Any, front: FrontMatter, path: Path) -> PolicyError:  # noqa: ANN401
    steps = [str(step) for step in fault["loc"]]
    above = (".".join(steps[:n]) for n in range(len(steps), 0, -1))
    line = next((front.lines[name] for name in above if name in front.lines), 1)
    message = in_words(fault, _fields_beside(steps))
    return PolicyError(message, file=path, line=line, field=".".join(steps))


def _fields_beside(steps: list[str]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "rules": Rule,
        "applies_to": AppliesTo,
        "second_look": SecondLook,
        "prefilter": Prefilter,
        "classifier": DedicatedClassifier,
    }
    model = models.get(steps[0], Policy) if len(steps) > 1 else Policy
    return [name for name in model.model_fields if name not in _OURS]
