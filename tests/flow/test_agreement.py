"""Agreement: what a version on trial makes of an event, beside the one in force."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOON

from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Action, Outcome
from afterguard.flow.agreement import Agreement, agreement, trials


def verdict(
    outcome: Outcome, action: Action = Action.NONE, policy_id: str | None = "hate", **fields: object
) -> AuditRecord:
    return AuditRecord.model_validate(
        {
            "verdict_id": "6f0f0f0f-0000-5000-8000-000000000000",
            "event_id": "e-1",
            "conversation_id": "c-1",
            "topic": "chat.events",
            "partition": 0,
            "offset": 0,
            "policy_id": policy_id,
            "policy_version": "00000000000000aa",
            "outcome": outcome,
            "action": action,
            "timings": {
                "received_at": NOON,
                "published_at": NOON,
                "queued_ms": 0,
                "judging_ms": 0,
                "event_to_publish_ms": 0,
            },
        }
        | fields
    )


HIDE = verdict(Outcome.VIOLATION, Action.HIDE)
REMOVE = verdict(Outcome.VIOLATION, Action.REMOVE)
CLEAN = verdict(Outcome.NO_VIOLATION)
DOUBT = verdict(Outcome.UNCERTAIN, Action.ESCALATE)
CUT = verdict(Outcome.EXPIRED, Action.ESCALATE)

verdicts = st.builds(verdict, st.sampled_from(Outcome), st.sampled_from(Action))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (CLEAN, CLEAN, Agreement.SAME),
        (HIDE, HIDE, Agreement.SAME),
        (DOUBT, DOUBT, Agreement.SAME),
        (CLEAN, HIDE, Agreement.STRICTER),
        (HIDE, CLEAN, Agreement.LAXER),
        (HIDE, REMOVE, Agreement.STRICTER),
        (REMOVE, HIDE, Agreement.LAXER),
        (CLEAN, DOUBT, Agreement.UNCLEAR),
        (DOUBT, HIDE, Agreement.UNCLEAR),
        (CLEAN, CUT, Agreement.UNJUDGED),
        (CUT, CUT, Agreement.UNJUDGED),
    ],
)
def test_what_the_other_version_makes_of_an_event(
    one: AuditRecord, other: AuditRecord, expected: Agreement
) -> None:
    assert agreement(one, other) is expected


@given(verdicts, verdicts)
def test_seen_from_the_other_side_stricter_is_laxer_and_all_else_is_the_same(
    one: AuditRecord, other: AuditRecord
) -> None:
    turned = {Agreement.STRICTER: Agreement.LAXER, Agreement.LAXER: Agreement.STRICTER}
    there = agreement(one, other)
    assert agreement(other, one) is turned.get(there, there)


@given(verdicts)
def test_a_verdict_agrees_with_itself_if_the_event_was_judged(one: AuditRecord) -> None:
    assert agreement(one, one) in {Agreement.SAME, Agreement.UNJUDGED}


def test_a_trial_is_held_against_its_own_policy_alone() -> None:
    shadow = verdict(Outcome.VIOLATION, Action.HIDE, shadow=True)
    other = verdict(Outcome.VIOLATION, Action.HIDE, policy_id="spam")
    assert list(trials([CLEAN, other, shadow])) == [("hate", Agreement.STRICTER)]


def test_a_trial_without_a_version_in_force_agrees_with_nobody() -> None:
    shadow = verdict(Outcome.VIOLATION, Action.HIDE, policy_id="new", shadow=True)
    skipped = verdict(Outcome.SKIPPED, policy_id=None)
    assert list(trials([CLEAN, skipped, shadow])) == []
