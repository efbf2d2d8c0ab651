"""Decide: the verdicts on one event become one decision."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOON, admission, answered, chat_event, input_record, policy

from afterguard.contracts.codec import encode
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Action, Degraded, Outcome, Reason, Severity
from afterguard.flow.decide import Decide, Decision
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.settings import DecideSettings

LATER = NOON + timedelta(seconds=2)
UNJUDGED = [
    Outcome.UNCERTAIN,
    Outcome.EXPIRED,
    Outcome.TRUNCATED,
    Outcome.UNPARSEABLE,
    Outcome.FAILED,
]


def decided(*findings: Finding, settings: dict[str, Any] | None = None, **changes: Any) -> Decision:
    decide = Decide(
        DecideSettings.model_validate(settings or {}), engine="scripted", model="scripted-1"
    )
    return decide.decide(admission(**changes), findings, LATER)


def intervention(*findings: Finding, **changes: Any) -> Intervention:
    asked = decided(*findings, **changes).intervention
    assert asked is not None
    return asked


def violation(action: Action, policy_id: str = "hate", **rule: Any) -> Finding:
    rules = [{"id": "A1", "title": "Rule", "severity": "high", "action": action.value} | rule]
    judged_under = policy(id=policy_id, rules=rules)
    judgement = answered(True, "A1")
    return Finding(read(judgement, judged_under), judged_under, judgement)


def clean(policy_id: str = "spam") -> Finding:
    judged_under = policy(id=policy_id)
    return Finding(read(answered(False), judged_under), judged_under, answered(False))


def unjudged(outcome: Outcome, policy_id: str = "spam", reason: Reason | None = None) -> Finding:
    return Finding(Reading(outcome, reason), policy(id=policy_id))


def in_shadow(finding: Finding) -> Finding:
    assert finding.policy is not None
    changed = finding.policy.model_dump() | {"stage": "shadow"}
    return finding._replace(policy=Policy.model_validate(changed))


def test_the_strictest_action_wins() -> None:
    asked = intervention(violation(Action.LABEL, "spam"), violation(Action.REMOVE, "hate"))
    assert (asked.action, asked.reason_code) == (Action.REMOVE, "hate")


def test_every_verdict_that_asks_for_something_is_named() -> None:
    decision = decided(clean("spam"), violation(Action.LABEL, "hate"), violation(Action.HIDE))
    assert decision.intervention is not None
    assert decision.intervention.verdict_ids == tuple(it.verdict_id for it in decision.audit[1:])


def test_the_gravest_severity_is_reported_even_when_another_verdict_decides_the_action() -> None:
    asked = intervention(
        violation(Action.REMOVE, "spam", severity="low"),
        violation(Action.LABEL, "hate", severity="critical"),
    )
    assert (asked.action, asked.severity) == (Action.REMOVE, Severity.CRITICAL)


def test_nothing_is_published_about_an_event_without_a_violation() -> None:
    assert decided(clean("spam"), clean("hate")).intervention is None


def test_a_decision_of_none_is_published_on_request() -> None:
    asked = intervention(clean(), settings={"publish_none": True})
    assert (asked.action, asked.reason_code) == (Action.NONE, "no_violation")
    assert len(asked.verdict_ids) == 1


def test_a_shadow_verdict_is_written_down_and_never_acted_upon() -> None:
    decision = decided(in_shadow(violation(Action.REMOVE)))
    assert decision.intervention is None
    (verdict,) = decision.audit
    assert (verdict.shadow, verdict.outcome, verdict.action) == (
        True,
        Outcome.VIOLATION,
        Action.REMOVE,
    )


def test_a_shadow_verdict_changes_nothing_about_the_others() -> None:
    alone = intervention(violation(Action.LABEL, "spam"))
    beside = intervention(in_shadow(violation(Action.REMOVE)), violation(Action.LABEL, "spam"))
    assert beside == alone


def test_shadow_policies_alone_publish_nothing_even_when_none_is_published() -> None:
    settings = {"publish_none": True}
    assert decided(in_shadow(clean()), settings=settings).intervention is None


def test_an_action_that_must_not_be_automated_becomes_a_question_to_a_person() -> None:
    asked = intervention(violation(Action.REMOVE), settings={"never_automate": ["remove"]})
    assert (asked.action, asked.needs_review) == (Action.ESCALATE, True)
    assert asked.outcome is Outcome.VIOLATION


def test_what_must_not_be_automated_is_not_done_for_an_unjudged_event_either() -> None:
    settings = {"never_automate": ["hide"], "unjudged_action": {"failed": "hide"}}
    assert intervention(unjudged(Outcome.FAILED), settings=settings).action is Action.ESCALATE


@pytest.mark.parametrize("outcome", UNJUDGED)
def test_an_outcome_that_is_no_verdict_asks_for_a_person(outcome: Outcome) -> None:
    asked = intervention(unjudged(outcome), clean("hate"))
    assert (asked.action, asked.needs_review, asked.outcome) == (Action.ESCALATE, True, outcome)


def test_one_unjudged_outcome_can_be_set_without_changing_the_others() -> None:
    settings = {"unjudged_action": {"expired": "none"}}
    assert decided(unjudged(Outcome.EXPIRED), settings=settings).intervention is None
    assert intervention(unjudged(Outcome.FAILED), settings=settings).action is Action.ESCALATE


def expired(on_expiry: str | None, policy_id: str = "spam") -> Finding:
    judged_under = policy(id=policy_id, on_expiry=on_expiry)
    return Finding(Reading(Outcome.EXPIRED, Reason.DEADLINE_PASSED), judged_under)


def test_a_policy_says_what_follows_when_an_event_is_not_judged_in_time() -> None:
    asked = intervention(expired("hide"))
    assert (asked.action, asked.outcome, asked.needs_review) == (
        Action.HIDE,
        Outcome.EXPIRED,
        False,
    )
    assert intervention(expired(None)).action is Action.ESCALATE
    settings = {"unjudged_action": {"expired": "warn"}}
    assert intervention(expired(None), settings=settings).action is Action.WARN


def test_an_expiry_without_an_action_is_on_record_all_the_same() -> None:
    decision = decided(expired("none"))
    assert decision.intervention is None
    assert [(it.outcome, it.action) for it in decision.audit] == [(Outcome.EXPIRED, Action.NONE)]


def test_of_several_policies_that_expired_the_strictest_action_counts() -> None:
    asked = intervention(expired("none"), expired("label", "hate"), expired("remove", "lies"))
    assert asked.action is Action.REMOVE


def test_what_a_policy_wants_on_expiry_is_held_back_like_any_other_action() -> None:
    asked = intervention(expired("remove"), settings={"never_automate": ["remove"]})
    assert (asked.action, asked.needs_review) == (Action.ESCALATE, True)


def test_on_expiry_is_for_expiry_alone() -> None:
    failed = Finding(Reading(Outcome.FAILED), policy(on_expiry="none"))
    assert intervention(failed).action is Action.ESCALATE


def test_the_question_to_a_person_survives_a_stricter_action() -> None:
    asked = intervention(unjudged(Outcome.TRUNCATED), violation(Action.REMOVE))
    assert (asked.action, asked.needs_review) == (Action.REMOVE, True)


def test_a_certain_action_alone_asks_for_nobody() -> None:
    assert not intervention(violation(Action.REMOVE), clean()).needs_review


@pytest.mark.parametrize(
    ("finding", "code"),
    [
        (violation(Action.HIDE, "hate"), "hate"),
        (violation(Action.HIDE, "hate", category="slur"), "slur"),
        (unjudged(Outcome.EXPIRED, reason=Reason.DEADLINE_PASSED), "deadline_passed"),
        (unjudged(Outcome.FAILED), "failed"),
        (unjudged(Outcome.UNCERTAIN, reason=Reason.SCORE_IN_BAND), "score_in_band"),
    ],
)
def test_the_reason_code_is_the_category_or_why_nobody_could_judge(
    finding: Finding, code: str
) -> None:
    assert intervention(finding).reason_code == code


def test_an_intervention_expires_after_the_set_time() -> None:
    asked = intervention(violation(Action.HIDE), settings={"expires_after_s": 60})
    assert asked.expires_at == LATER + timedelta(seconds=60)
    assert intervention(violation(Action.HIDE)).expires_at is None


def test_the_target_is_handed_back_untouched() -> None:
    target: dict[str, Any] = {"room": 7, "ids": ["a", None, 1.5]}
    asked = intervention(violation(Action.HIDE), event=chat_event(target=target))
    assert asked.target == target


def test_the_same_record_gives_the_same_ids_again() -> None:
    one, other = decided(violation(Action.HIDE)), decided(violation(Action.HIDE))
    assert one.audit[0].verdict_id == other.audit[0].verdict_id
    assert one.intervention is not None
    assert other.intervention is not None
    assert one.intervention.intervention_id == other.intervention.intervention_id


def test_another_record_gives_other_ids() -> None:
    one = decided(violation(Action.HIDE))
    other = decided(violation(Action.HIDE), record=input_record(offset=1))
    assert one.audit[0].verdict_id != other.audit[0].verdict_id
    assert one.intervention is not None
    assert other.intervention is not None
    assert one.intervention.intervention_id != other.intervention.intervention_id


def test_times_are_told_from_the_event_s_own_time() -> None:
    assert intervention(violation(Action.HIDE)).event_to_intervention_ms == 2_000


def test_an_event_from_the_future_has_no_negative_age() -> None:
    event = chat_event(occurred_at=(NOON + timedelta(days=1)).isoformat())
    assert intervention(violation(Action.HIDE), event=event).event_to_intervention_ms == 0


def test_an_invented_citation_marks_its_own_verdict_alone() -> None:
    invented = answered(True, "Z9")
    findings = [Finding(read(invented, policy()), policy(), invented), violation(Action.LABEL)]
    decision = decided(*findings, degraded=[Degraded.CLOCK_SKEW])
    assert [it.degraded for it in decision.audit] == [
        (Degraded.CLOCK_SKEW, Degraded.CITATION_UNKNOWN),
        (Degraded.CLOCK_SKEW,),
    ]


def test_a_failed_verdict_sends_the_event_to_the_dead_letters() -> None:
    assert decided(clean("hate"), unjudged(Outcome.FAILED)).failed == unjudged(Outcome.FAILED)
    assert decided(clean(), violation(Action.HIDE)).failed is None


@pytest.mark.parametrize("outcome", Outcome)
def test_an_event_is_remembered_only_when_every_verdict_on_it_is_final(outcome: Outcome) -> None:
    final = {Outcome.VIOLATION, Outcome.NO_VIOLATION, Outcome.UNCERTAIN}
    decision = decided(clean("hate"), unjudged(outcome), seen_key="key")
    assert decision.seen_key == ("key" if outcome in final else None)


@pytest.mark.parametrize(
    "settings", [{"publish_none": True}, {"unjudged_action": {"skipped": "escalate"}}]
)
def test_a_duplicate_adds_no_intervention_to_that_of_the_first(settings: dict[str, Any]) -> None:
    duplicate = Finding(Reading(Outcome.SKIPPED, Reason.DUPLICATE_EVENT))
    decision = decided(duplicate, settings=settings)
    assert decision.intervention is None
    assert decision.audit[0].outcome is Outcome.SKIPPED


def test_what_nobody_could_judge_can_be_made_to_ask_for_a_person() -> None:
    skipped = Finding(Reading(Outcome.SKIPPED, Reason.UNKNOWN_POLICY))
    settings = {"unjudged_action": {"skipped": "escalate"}}
    assert intervention(skipped, settings=settings).reason_code == "unknown_policy"
    assert decided(skipped).intervention is None


actions = st.sampled_from([it for it in Action if it is not Action.NONE])
findings_of_one_event = st.lists(
    st.one_of(
        st.builds(violation, actions, severity=st.sampled_from(["low", "high", "critical"])),
        st.just(clean()),
        st.builds(unjudged, st.sampled_from(UNJUDGED)),
        st.builds(in_shadow, st.builds(violation, actions)),
    ),
    min_size=1,
    max_size=6,
).map(
    lambda findings: [
        it._replace(policy=it.policy.model_copy(update={"id": f"policy-{number}"}))
        for number, it in enumerate(findings)
        if it.policy is not None
    ]
)


@given(findings_of_one_event, st.randoms(use_true_random=False))
def test_the_order_of_the_verdicts_does_not_change_the_decision(
    findings: list[Finding], random: Any
) -> None:
    one = decided(*findings).intervention
    random.shuffle(findings)
    other = decided(*findings).intervention
    if one is None or other is None:
        assert one is other
        return
    assert set(one.verdict_ids) == set(other.verdict_ids)
    same = {"verdict_ids": ()}
    assert one.model_copy(update=same) == other.model_copy(update=same)


@given(st.lists(findings_of_one_event, max_size=5))
def test_every_event_has_one_verdict_for_each_of_its_policies(events: list[list[Finding]]) -> None:
    verdicts = [verdict for findings in events for verdict in decided(*findings).audit]
    counted = {outcome: sum(it.outcome is outcome for it in verdicts) for outcome in Outcome}
    assert sum(counted.values()) == len(verdicts) == sum(len(findings) for findings in events)


@given(findings_of_one_event)
def test_an_intervention_never_asks_for_less_than_the_strictest_of_its_verdicts(
    findings: list[Finding],
) -> None:
    decision = decided(*findings)
    strictest = max((it.action for it in decision.audit if not it.shadow), key=_rank, default=None)
    if decision.intervention is None:
        assert strictest in {None, Action.NONE}
    else:
        assert decision.intervention.action is strictest


@given(findings_of_one_event, st.text(min_size=1, max_size=20))
def test_the_rationale_stays_in_the_audit(findings: list[Finding], thought: str) -> None:
    secret = f"<<{thought}>>"
    told = [
        it._replace(judgement=answered(True)._replace(rationale=secret, answer=secret))
        for it in findings
    ]
    decision = decided(*told)
    assert all(it.rationale == secret for it in decision.audit)
    if decision.intervention is not None:
        assert "<<" not in encode(decision.intervention).decode()


def _rank(action: Action) -> int:
    return action.rank
