"""Policy packs: a policy text as it was written for gpt-oss-safeguard, without our front matter.

Its rules are the codes that it defines, such as DC1 and DC2. One that ends in 0 says that content
is allowed and is no rule. What follows from a violation is not said there, so every rule asks for a
person; that does not touch the figures of an evaluation.
"""

import re
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Action, Effort, Severity
from afterguard.policy.document import normalised, parse_policy, read_text

_FENCE: Final = "---"
_TITLE_CODE: Final = re.compile(r"\(#([A-Z][A-Z0-9]{0,6})\)")
_CODE: Final = re.compile(r"\b([A-Z][A-Z0-9]{0,6}?)([0-9])\b")
_HEADING: Final = re.compile(r"\(\s*([A-Z][A-Z0-9]{0,6}[0-9])\b[^)]*\)")
_LISTED: Final = re.compile(r"^[-*\s]*`([A-Z][A-Z0-9]{0,6}[0-9])`\s*:\s*(.+)$")
_NO_WORD: Final = re.compile(r"^[\W_]+|[^\w)\]]+$")
_NO_ID: Final = re.compile(r"[^a-z0-9]+")
_LONGEST_TITLE: Final = 120
# The text asks for its own words; the engine's frame asks for a label and rules.
_NOTE: Final = """
## How its words map to the answer

`VALID` and every code that ends in 0 mean that the content does not violate this policy. `INVALID`
and every other code mean that it does; cite that code as the rule.
"""


def policy_of_file(path: Path) -> Policy:
    """The policy of a document of ours, or of a pack's text.

    Raises:
        PolicyError: It is neither.
    """
    text = read_text(path)
    if normalised(text).startswith(f"{_FENCE}\n"):
        return parse_policy(text, path)
    return pack_policy(text, path)


def pack_policy(text: str, path: Path) -> Policy:
    """The policy of a pack's text; its id is the name of the file.

    Raises:
        PolicyError: It defines no codes.
    """
    text = normalised(text)
    prefix = _prefix(text)
    if prefix is None:
        raise PolicyError(
            "has neither front matter nor codes of rules such as DC1",
            file=path,
        )
    lines = text.split("\n")
    codes = sorted({f"{name}{digit}" for name, digit in _CODE.findall(text) if name == prefix})
    rules: list[dict[str, Any]] = [
        {
            "id": code,
            "title": _titled(code, lines),
            "severity": Severity.MEDIUM,
            "action": Action.ESCALATE,
        }
        for code in codes
        if not code.endswith("0")
    ]
    if not rules:
        raise PolicyError(f"has no code of {prefix} but {prefix}0", file=path)
    body = text + _NOTE
    try:
        return Policy.model_validate(
            {
                "id": _id(path),
                "title": _title(lines),
                "owner": "policy-pack",
                "rules": rules,
                "effort": Effort.MEDIUM,
                "body": body,
                "version": sha256(body.encode()).hexdigest()[:16],
            }
        )
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        field = ".".join(str(step) for step in fault["loc"])
        raise PolicyError(str(fault["msg"]), file=path, field=field) from None


def _prefix(text: str) -> str | None:
    """What its codes begin with: as the title says, else the commonest."""
    found = Counter(name for name, _ in _CODE.findall(text))
    titled = _TITLE_CODE.search(text)
    if titled is not None and found[titled[1]]:
        return titled[1]
    # One mention of `CO2` is no code; a code that allows and one that forbids are.
    with_zero = Counter({name: found[name] for name, digit in _CODE.findall(text) if digit == "0"})
    return with_zero.most_common(1)[0][0] if with_zero else None


def _id(path: Path) -> str:
    # Packs call their text `policy.txt` and the folder what it is about.
    stem = path.stem if path.stem.lower() != "policy" else path.resolve().parent.name
    name = _NO_ID.sub("-", stem.lower()).strip("-")[:60]
    return name if len(name) > 1 and name[0].isalpha() else f"pack-{name}"


def _title(lines: Sequence[str]) -> str:
    first = next((line for line in lines if line.strip()), "")
    return _clean(_TITLE_CODE.sub("", first)) or "Policy pack"


def _titled(code: str, lines: Sequence[str]) -> str:
    for line in lines:
        heading = _HEADING.search(line)
        if heading is not None and heading[1] == code:
            return _clean(line[: heading.start()]) or code
    for line in lines:
        listed = _LISTED.match(line)
        if listed is not None and listed[1] == code:
            return _clean(listed[2]) or code
    return code


def _clean(title: str) -> str:
    words = _NO_WORD.sub("", title.strip()).strip()[:_LONGEST_TITLE].strip()
    return words if len(words) >= 3 else ""
