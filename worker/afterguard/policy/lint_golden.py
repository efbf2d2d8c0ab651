"""Lint of golden sets: whether passing one says much about its policy. Pure."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Action
from afterguard.policy.labelled import LabelledRow
from afterguard.policy.lint import Remark
from afterguard.policy.template import TODO

FEWEST_ROWS: Final = 10

_FIELD: Final = "golden"
_INJECTION: Final = "injection"


def golden_remarks(
    policy: Policy, document: Path, golden: Path, rows: Sequence[LabelledRow] | None
) -> Iterator[Remark]:
    """What a golden set lacks.

    Args:
        policy: What it is for.
        document: The policy's document.
        golden: Where the set stands, or should.
        rows: Its rows; None when there is no such file.
    """
    if rows is None:
        message = f"{golden} is not there: `policies activate` asks for it"
        yield Remark(document, 1, _FIELD, message)
        return
    for message in _lacking(policy, rows):
        yield Remark(golden, 1, _FIELD, message)


def _lacking(policy: Policy, rows: Sequence[LabelledRow]) -> Iterator[str]:
    own = [row for row in rows if row.variant_of is None]
    if unwritten := sum(TODO in str(row.event.content) for row in rows):
        yield f"{unwritten} rows are still to be written: {TODO}"
    if len(own) < FEWEST_ROWS:
        yield f"has {len(own)} rows; below {FEWEST_ROWS} it says little"
    expected = {row.expected.get(policy.id) for row in own}
    if expected == {True}:
        yield "expects nothing but violations: nothing proves what is allowed"
    if expected == {False}:
        yield "expects no violation: nothing proves what is forbidden"
    cited = {rule for row in rows for rule in row.rules.get(policy.id, ())}
    for rule in policy.rules:
        if rule.action is not Action.ESCALATE and rule.id not in cited:
            yield f"no row expects {rule.id}"
    if not any(_INJECTION in row.tags for row in rows):
        yield f"no row argues with the judge: tag one `{_INJECTION}`"
