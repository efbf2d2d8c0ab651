"""A policy document: Markdown with YAML front matter, read into a `Policy`.

Every fault is found in one reading and told with file, line and field.
"""

import re
import unicodedata
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy

SECTIONS = ("Instruction", "Definitions", "Criteria", "Examples")
_FENCE = "---"
_OURS = ("body", "version")


def read_policy(path: Path) -> Policy:
    """The policy of a document.

    Raises:
        PolicyError: The first fault; `others` of it holds the rest.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PolicyError("is not UTF-8 text", file=path, line=line) from None
    except OSError as error:
        raise PolicyError(f"cannot be read: {error.strerror}", file=path) from None
    return parse_policy(text, path)


def parse_policy(text: str, path: Path) -> Policy:
    """The policy of a document's text; `path` is for messages."""
    text = normalised(text)
    front, body, body_line = _parts(text, path)
    fields, lines = _front_matter(front, path)
    faults = [
        PolicyError("is set by the loader", file=path, line=lines.get(name), field=name)
        for name in _OURS
        if name in fields
    ]
    version = sha256(text.encode()).hexdigest()[:16]
    try:
        policy = Policy.model_validate({**fields, "body": body, "version": version})
    except ValidationError as error:
        faults += [_fault(it, lines, path) for it in error.errors(include_url=False)]
        raise _together(faults) from None
    faults += _inconsistent(policy, body, body_line, lines, path)
    if faults:
        raise _together(faults)
    return policy


def normalised(text: str) -> str:
    """The text by which a version is told: NFC, `\\n`, no white space at line ends."""
    lines = unicodedata.normalize("NFC", text.removeprefix("\ufeff")).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip() + "\n"


def _parts(text: str, path: Path) -> tuple[str, str, int]:
    lines = text.splitlines()
    if not lines or lines[0] != _FENCE:
        raise PolicyError("must begin with front matter: a line `---`", file=path, line=1)
    try:
        end = lines.index(_FENCE, 1)
    except ValueError:
        raise PolicyError(
            "the front matter is not closed by a line `---`", file=path, line=1
        ) from None
    body = "\n".join(lines[end + 1 :]).strip() + "\n"
    return "\n".join(lines[1:end]), body, end + 2


def _front_matter(front: str, path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    try:
        fields = yaml.safe_load(front)
        node = yaml.compose(front)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 2 if error.problem_mark else None
        raise PolicyError(
            f"the front matter is not valid YAML: {error.problem}", file=path, line=line
        ) from None
    if not isinstance(fields, dict) or not isinstance(node, yaml.MappingNode):
        raise PolicyError("the front matter must hold fields such as `id:`", file=path, line=2)
    return fields, _lines(node)


def _lines(node: yaml.Node, prefix: str = "") -> dict[str, int]:
    found: dict[str, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = f"{prefix}{key.value}"
            found[name] = key.start_mark.line + 2
            found |= _lines(value, f"{name}.")
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            found[f"{prefix}{number}"] = item.start_mark.line + 2
            found |= _lines(item, f"{prefix}{number}.")
    return found


def _fault(fault: Any, lines: dict[str, int], path: Path) -> PolicyError:  # noqa: ANN401
    steps = [str(step) for step in fault["loc"]]
    line = next(
        (lines[key] for n in range(len(steps), 0, -1) if (key := ".".join(steps[:n])) in lines), 1
    )
    message = "no such field" if fault["type"] == "extra_forbidden" else fault["msg"]
    return PolicyError(message, file=path, line=line, field=".".join(steps))


def _inconsistent(
    policy: Policy, body: str, body_line: int, lines: dict[str, int], path: Path
) -> list[PolicyError]:
    faults: list[PolicyError] = []
    seen: set[str] = set()
    for number, rule in enumerate(policy.rules):
        if rule.id in seen:
            line = lines.get(f"rules.{number}.id")
            faults.append(
                PolicyError(f"{rule.id} is there twice", file=path, line=line, field="rules")
            )
        seen.add(rule.id)
    band = policy.uncertain
    if band and not 0 <= band[0] < band[1] <= 1:
        faults.append(
            PolicyError(
                "must be two rising numbers from 0 to 1",
                file=path,
                line=lines.get("uncertain"),
                field="uncertain",
            )
        )
    headings = re.findall(r"^## +(.+)$", body, re.MULTILINE)
    faults += [
        PolicyError(f"lacks the part `## {part}`", file=path, line=body_line, field="body")
        for part in SECTIONS
        if part not in headings
    ]
    prefixes = {re.sub(r"\d+$", "", rule.id) for rule in policy.rules}
    for offset, text in enumerate(body.splitlines()):
        cited = re.findall(r"\b[A-Z][A-Z0-9]{0,7}[0-9]\b", text)
        faults += [
            PolicyError(
                f"{rule_id} is no rule of this policy",
                file=path,
                line=body_line + offset,
                field="body",
            )
            for rule_id in cited
            if rule_id not in seen and re.sub(r"\d+$", "", rule_id) in prefixes
        ]
    return faults


def _together(faults: list[PolicyError]) -> PolicyError:
    first, *others = faults
    first.others = tuple(others)
    return first
