"""Lint: what makes a valid policy hard to follow. Pure; nothing here refuses a policy."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import Policy
from afterguard.policy.document import parse_policy, split
from afterguard.policy.front_matter import read_front_matter
from afterguard.policy.lint_body import body_remarks
from afterguard.policy.lint_fields import field_remarks


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
            *body_remarks(policy, body, lines, tokens),
            *field_remarks(policy, lines),
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
