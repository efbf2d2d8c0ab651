"""Findings: nothing becomes "no violation" but a complete answer that says so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import answered, policy

from afterguard.contracts.words import Action, Outcome, Reason, Severity
from afterguard.flow.findings import read
from afterguard.flow.ports import Judgement, JudgementStatus


@pytest.mark.parametrize(
    ("status", "outcome", "reason"),
    [
        (JudgementStatus.REASONING_CUT, Outcome.TRUNCATED, Reason.REASONING_CUT),
        (JudgementStatus.CONTENT_TOO_LONG, Outcome.TRUNCATED, Reason.CONTENT_TOO_LONG),
        (JudgementStatus.UNPARSEABLE, Outcome.UNPARSEABLE, Reason.NO_ANSWER),
    ],
)
def test_an_incomplete_answer_has_an_outcome_of_its_own(
    status: JudgementStatus, outcome: Outcome, reason: Reason
) -> None:
    reading = read(Judgement(status), policy())
    assert (reading.outcome, reading.reason) == (outcome, reason)


def test_a_label_without_a_score_decides() -> None:
    assert read(answered(True, "H2"), policy()).outcome is Outcome.VIOLATION
    assert read(answered(False), policy()).outcome is Outcome.NO_VIOLATION


def test_the_gravest_rule_gives_the_severity_and_the_strictest_the_action() -> None:
    reading = read(answered(True, "H1", "H2"), policy())
    assert (reading.severity, reading.action) == (Severity.HIGH, Action.REMOVE)
    assert reading.rule_ids == ("H1", "H2")


def test_a_citation_that_the_policy_does_not_have_is_kept_apart() -> None:
    reading = read(answered(True, "H1", "Z9"), policy())
    assert (reading.rule_ids, reading.unknown_rules) == (("H1",), ("Z9",))


def test_a_violation_that_cites_no_known_rule_takes_the_fallback_action() -> None:
    reading = read(answered(True, "Z9"), policy(fallback_action="hide"))
    assert (reading.action, reading.severity) == (Action.HIDE, None)


def test_a_score_in_the_uncertain_band_goes_to_a_person() -> None:
    reading = read(answered(False, score=0.4), policy(uncertain=(0.35, 0.65)))
    assert (reading.outcome, reading.reason) == (Outcome.UNCERTAIN, Reason.SCORE_IN_BAND)


def test_a_score_that_contradicts_the_label_goes_to_a_person() -> None:
    reading = read(answered(False, score=0.9), policy())
    assert (reading.outcome, reading.reason) == (
        Outcome.UNCERTAIN,
        Reason.SCORE_CONTRADICTS_LABEL,
    )


def test_rules_cited_for_no_violation_send_the_event_to_a_person() -> None:
    reading = read(answered(False, "H2"), policy())
    assert (reading.outcome, reading.reason) == (
        Outcome.UNCERTAIN,
        Reason.RULES_CONTRADICT_LABEL,
    )
    assert read(answered(False, "nonsense"), policy()).outcome is Outcome.NO_VIOLATION


def test_a_rule_that_asks_for_a_person_is_heard_beside_a_stricter_one() -> None:
    asking = {"id": "H1", "title": "Doubts", "severity": "low", "action": "escalate"}
    strict = {"id": "H2", "title": "Threats", "severity": "high", "action": "remove"}
    reading = read(answered(True, "H1", "H2"), policy(rules=[asking, strict]))
    assert (reading.action, reading.asks_for_person) == (Action.REMOVE, True)
    assert not read(answered(True, "H2"), policy(rules=[asking, strict])).asks_for_person


def test_a_category_of_the_rule_replaces_that_of_the_policy() -> None:
    rules = [
        {"id": "H1", "title": "Slurs", "severity": "low", "action": "hide", "category": "slur"}
    ]
    assert read(answered(True, "H1"), policy(rules=rules)).category == "slur"


@given(
    status=st.sampled_from(JudgementStatus),
    violation=st.none() | st.booleans(),
    score=st.none() | st.floats(0, 1),
    threshold=st.floats(0.01, 0.99),
)
def test_no_violation_always_stands_on_a_complete_answer_that_says_so(
    status: JudgementStatus, violation: bool | None, score: float | None, threshold: float
) -> None:
    judgement = Judgement(status, violation=violation, score=score)
    reading = read(judgement, policy(threshold=threshold))
    if reading.outcome is Outcome.NO_VIOLATION:
        assert status is JudgementStatus.ANSWERED
        assert violation is False
        assert score is None or score < threshold
