"""Lint of what the model reads: its length, its wording, and whether its four parts do their work.

The rules come from what is known of gpt-oss-safeguard: it follows a policy of 400 to 600 tokens
best, needs definite words, an order among its rules, a way out for doubt, and examples of both
kinds near the border.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Action
from afterguard.policy.body import PARTS, Body, Line, Part, cited_rules
from afterguard.policy.template import TODO

FEWEST_TOKENS: Final = 400
MOST_TOKENS: Final = 600
FEWEST_EXAMPLES: Final = 4

_VAGUE: Final = re.compile(
    r"\b(generally|usually|typically|normally|mostly|often|sometimes|in most cases|and so on|etc"
    r"|(?:as|if|where) appropriate)\b",
    re.IGNORECASE,
)
_PRECEDENCE: Final = re.compile(
    r"\b(precedence|gravest|prevails?|outranks?|takes? priority|wins? over|comes? before)\b",
    re.IGNORECASE,
)
_CLEAN: Final = re.compile(
    r"no violation|does not violate|not a violation|(?:label:|->|→) *(?:0|safe|allowed)\b",
    re.IGNORECASE,
)
_ANSWER_FORM: Final = re.compile(
    r"\b(?:return|output|respond with|answer with|reply with)\b.*\b(?:json|0|1|yes|no)\b"
    r"|\bpolicy_category\b",
    re.IGNORECASE,
)
# Marks that reorder or hide what a person sees; the model reads what is there.
_HIDDEN: Final = re.compile("[\u200b\u2060\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
_ITEM: Final = re.compile(r"^(?:[-*]|\d+[.)]) ")
_SUBHEADING: Final = re.compile(r"^### +(.+)$")
_VIOLATES, _CLEARS = "Violates", "Does not violate"

Found = Iterator[tuple[int, str, str]]
"""Line, field and message of each warning."""


def body_remarks(policy: Policy, body: Body, lines: Mapping[str, int], tokens: int | None) -> Found:
    """What makes a body hard to follow.

    Args:
        policy: The policy.
        body: What the model reads of it.
        lines: Where the fields of the front matter stand.
        tokens: Its length; None when it was not counted.
    """
    yield from _length(body, tokens)
    yield from _wording(body)
    yield from _order(policy, body)
    yield from _criteria(policy, body, lines)
    yield from _examples(policy, body)


def _length(body: Body, tokens: int | None) -> Found:
    if tokens is not None and not FEWEST_TOKENS <= tokens <= MOST_TOKENS:
        message = (
            f"is {tokens} tokens long; {FEWEST_TOKENS} to {MOST_TOKENS} are followed best, "
            "longer ones may still work: measure"
        )
        yield body.first_line, "body", message


def _wording(body: Body) -> Found:
    for part in body.parts():
        for line in part.lines:
            if TODO in line.text:
                yield line.number, "body", f"is still to be written: {TODO}"
            if _HIDDEN.search(line.text):
                yield line.number, "body", "holds an invisible character"
            if part.title == "Examples":
                continue  # quotes what people say
            for vague in _VAGUE.findall(line.text):
                yield line.number, "body", f"{vague!r} leaves the border to the model; say when"
            if _ANSWER_FORM.search(line.text):
                message = "says how to answer; that is the engine's part of the prompt"
                yield line.number, "body", message


def _order(policy: Policy, body: Body) -> Found:
    titles = [part.title for part in body.parts() if part.title in PARTS]
    if titles != list(PARTS):
        message = f"the parts stand best in the order {', '.join(PARTS)}"
        yield body.first_line, "body", message
    if len(policy.rules) > 1 and not _PRECEDENCE.search(body.text):
        message = "states no precedence: say which rule counts when several are violated"
        yield body.first_line, "body", message


def _criteria(policy: Policy, body: Body, lines: Mapping[str, int]) -> Found:
    part = _part(body, "Criteria")
    for heading in (_VIOLATES, _CLEARS):
        if not any(line.text.strip() for line in _below(part, heading)):
            yield part.number, "body", f"says nothing under `### {heading}`"
    criteria = _cited(part)
    # A rule for doubt has no criteria of its own; it is told where precedence is.
    instruction = _cited(_part(body, "Instruction"))
    for number, rule in enumerate(policy.rules):
        doubt = rule.action is Action.ESCALATE
        if rule.id not in (criteria | instruction if doubt else criteria):
            field = f"rules.{number}"
            yield lines.get(field, 1), field, f"{rule.id} is not mentioned in the criteria"


def _examples(policy: Policy, body: Body) -> Found:
    part = _part(body, "Examples")
    examples = _items(part)
    if len(examples) < FEWEST_EXAMPLES:
        message = f"has {len(examples)} examples; {FEWEST_EXAMPLES} to 6 near the border help most"
        yield part.number, "body", message
    ids = {rule.id for rule in policy.rules}
    if not any(ids.intersection(cited_rules(it)) for it in examples):
        yield part.number, "body", "has no example that cites a rule"
    if not any(_CLEAN.search(it) for it in examples):
        yield part.number, "body", "has no example of `No violation`"


def _part(body: Body, title: str) -> Part:
    return next(part for part in body.parts() if part.title == title)


def _cited(part: Part) -> set[str]:
    return {rule_id for line in part.lines for rule_id in cited_rules(line.text)}


def _below(part: Part, heading: str) -> list[Line]:
    found: list[Line] = []
    inside = False
    for line in part.lines:
        if title := _SUBHEADING.match(line.text):
            inside = title.group(1).strip() == heading
        elif inside:
            found.append(line)
    return found


def _items(part: Part) -> list[str]:
    """The items of a list, each with the lines that continue it."""
    items: list[str] = []
    for line in part.lines:
        if _ITEM.match(line.text):
            items.append(line.text)
        elif items:
            items[-1] += " " + line.text.strip()
    return items
