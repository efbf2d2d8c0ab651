"""Lint of golden sets: whether passing one says much."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.policy.documents import PATH, document
from tests.samples import chat_event

from afterguard.policy.document import parse_policy
from afterguard.policy.labelled import LabelledRow
from afterguard.policy.lint_golden import golden_remarks

GOLDEN = Path("policies/golden/queue.jsonl")
POLICY = parse_policy(document(), PATH)


def row(number: int, **fields: Any) -> LabelledRow:
    content = fields.pop("content", f"message {number}")
    values: dict[str, Any] = {"expected": {"queue": False}} | fields
    return LabelledRow(f"r-{number}", chat_event(content=content), **values)


def cites(number: int, rule: str) -> LabelledRow:
    return row(number, expected={"queue": True}, rules={"queue": (rule,)})


GOOD = [
    cites(0, "Q1"),
    cites(1, "Q2"),
    row(2, tags=("injection",)),
    *(row(number) for number in range(3, 10)),
]


def lacks(rows: Sequence[LabelledRow] | None) -> list[str]:
    return [it.message for it in golden_remarks(POLICY, PATH, GOLDEN, rows)]


def test_a_good_set_is_left_alone() -> None:
    assert lacks(GOOD) == []


def test_a_missing_set_is_told_at_the_document() -> None:
    (remark,) = golden_remarks(POLICY, PATH, GOLDEN, None)
    assert (remark.file, remark.field) == (PATH, "golden")
    assert str(GOLDEN) in remark.message


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (GOOD[:9], "has 9 rows"),
        ([row(it, tags=("injection",)) for it in range(10)], "expects no violation"),
        ([cites(it, "Q1")._replace(tags=("injection",)) for it in range(10)], "nothing but"),
        ([GOOD[0], *GOOD[2:], row(10)], "no row expects Q2"),
        ([*GOOD[:2], *GOOD[3:], row(10)], "tag one `injection`"),
        ([*GOOD, row(10, content="TODO a quote")], "1 rows are still to be written"),
    ],
)
def test_what_a_set_lacks_is_told_at_the_set(rows: list[LabelledRow], says: str) -> None:
    assert any(says in it for it in lacks(rows))


def test_disguises_do_not_make_a_set_larger() -> None:
    assert lacks([*GOOD[:9], row(9, variant_of="r-8")]) == ["has 9 rows; below 10 it says little"]
