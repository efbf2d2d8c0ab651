"""Lint: what makes a valid policy hard to follow for a model. Pure; nothing here refuses a policy.

The rules come from what is known of gpt-oss-safeguard: it follows a policy of 400 to 600 tokens
best, needs definite words, an order among its rules, a way out for doubt, and examples of both
kinds near the border.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Action, Severity
from afterguard.policy.body import PARTS, Body, Line, Part, cited_rules
from afterguard.policy.document import parse_policy, split
from afterguard.policy.front_matter import read_front_matter

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


class Remark(NamedTuple):
    """A warning and its place."""

    file: Path
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: warning: {self.field}: {self.message}"


class Report(NamedTuple):
    """What was found in one document.

    Attributes:
        file: The document.
        policy: None when it has faults.
        tokens: Length of the body; None when it was not counted.
        faults: Why it is refused.
        warnings: What is wrong with a valid policy.
    """

    file: Path
    policy: Policy | None = None
    tokens: int | None = None
    faults: tuple[PolicyError, ...] = ()
    warnings: tuple[Remark, ...] = ()


def lint(text: str, file: Path, count_tokens: Callable[[str], int] | None) -> Report:
    """The report on one document.

    Args:
        text: The document.
        file: For messages.
        count_tokens: Counts as the model does; None when its vocabulary is not at hand.
    """
    try:
        policy = parse_policy(text, file)
    except PolicyError as error:
        return Report(file, faults=(error, *error.others))
    document = split(text, file)
    body, lines = document.body, read_front_matter(document.front, file).lines
    tokens = count_tokens(policy.body) if count_tokens else None
    found = sorted(
        [
            *_length(body, tokens),
            *_wording(body),
            *_order(policy, body),
            *_criteria(policy, body, lines),
            *_examples(policy, body),
            *_consequences(policy, lines),
        ]
    )
    return Report(file, policy, tokens, warnings=tuple(Remark(file, *it) for it in found))


def clashes(reports: Sequence[Report]) -> list[Report]:
    """The reports, with what is wrong between documents added to the later one of each pair.

    Two policies of one id are a fault. A rule id in two policies is a warning: an intervention
    cites the rules of all policies in one list.
    """
    policy_files: dict[str, Path] = {}
    rule_files: dict[str, Path] = {}
    told = []
    for report in reports:
        faults, warnings = list(report.faults), list(report.warnings)
        if report.policy is not None:
            first = policy_files.setdefault(report.policy.id, report.file)
            if first != report.file:
                message = f"{report.policy.id} is the id of {first} too"
                faults.append(PolicyError(message, file=report.file, line=1, field="id"))
            for number, rule in enumerate(report.policy.rules):
                owner = rule_files.setdefault(rule.id, report.file)
                if owner not in {report.file, first}:
                    message = f"{rule.id} is a rule of {owner} too"
                    warnings.append(Remark(report.file, 1, f"rules.{number}.id", message))
        told.append(report._replace(faults=tuple(faults), warnings=tuple(warnings)))
    return told


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


def _consequences(policy: Policy, lines: Mapping[str, int]) -> Found:
    for number, rule in enumerate(policy.rules):
        field = f"rules.{number}.action"
        line = lines.get(field, 1)
        grave = rule.severity.rank >= Severity.HIGH.rank
        if grave and rule.action.rank < Action.ESCALATE.rank:
            yield line, field, f"{rule.action} is little for severity {rule.severity}"
        if rule.severity is Severity.LOW and rule.action.rank > Action.HIDE.rank:
            yield line, field, f"{rule.action} is much for severity {rule.severity}"
        if rule.severity is Severity.CRITICAL and policy.on_expiry is Action.NONE:
            message = f"lets an event pass unjudged that may be critical ({rule.id})"
            yield lines.get("on_expiry", 1), "on_expiry", message
    band = policy.uncertain
    if band is None and all(rule.action is not Action.ESCALATE for rule in policy.rules):
        message = "doubt has no way to a person: set `uncertain`, or a rule with `escalate`"
        yield 1, "uncertain", message
    if band is not None and not band[0] <= policy.threshold <= band[1]:
        message = f"leaves out the threshold {policy.threshold}"
        yield lines.get("uncertain", 1), "uncertain", message


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
