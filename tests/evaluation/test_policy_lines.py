"""The lines for the front matter do at work what was chosen on the data."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import answered, policy

from afterguard.contracts.words import Outcome
from afterguard.evaluation.policy_lines import policy_lines
from afterguard.flow.findings import read

LINES = st.integers(1, 9_999).map(lambda it: it / 10_000)


@given(
    precision=st.none() | LINES,
    recall=st.none() | LINES,
    turn=st.floats(0.001, 0.999),
    score=st.floats(0, 1),
)
def test_what_is_to_be_acted_upon_and_seen_is(
    precision: float | None, recall: float | None, turn: float, score: float
) -> None:
    lines = policy_lines(precision=precision, recall=recall, turn=turn)
    front = yaml.safe_load("\n".join(lines)) or {}
    # Below the turn the model's label says no: that is what the turn is.
    outcome = read(answered(score >= turn, score=score), policy(**front)).outcome
    if precision is not None:
        assert outcome is not Outcome.VIOLATION or score >= precision
    if recall is not None and score >= recall:
        assert outcome is not Outcome.NO_VIOLATION or turn - 1e-4 < score < turn + 1e-4


@pytest.mark.parametrize(
    ("precision", "recall", "turn", "lines"),
    [
        (0.8, None, 0.4, ["threshold: 0.8000"]),
        (0.3, None, 0.4, ["threshold: 0.4000"]),
        (None, 0.1, 0.4, ["threshold: 0.4000", "uncertain: [0.1000, 0.399999]"]),
        (None, 0.6, 0.4, ["threshold: 0.6000"]),
        (0.8, 0.1, 0.4, ["threshold: 0.8000", "uncertain: [0.1000, 0.799999]"]),
        (0.8, 0.9, 0.4, ["threshold: 0.8000"]),
        (None, None, 0.4, []),
    ],
)
def test_each_wish_has_its_lines(
    precision: float | None, recall: float | None, turn: float, lines: list[str]
) -> None:
    assert policy_lines(precision=precision, recall=recall, turn=turn) == lines
