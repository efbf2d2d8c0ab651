"""Findings: what one judgement means under its policy.

This is where nothing becomes "safe" by accident: `no_violation` needs a complete answer whose
label, and score where there is one, both say so.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple
from uuid import UUID

from afterguard.contracts.policies import Policy, Rule
from afterguard.contracts.words import Action, Degraded, Effort, Outcome, Reason, Severity
from afterguard.flow.ports import Judgement, JudgementStatus

_NO_ANSWER = {
    JudgementStatus.REASONING_CUT: (Outcome.TRUNCATED, Reason.REASONING_CUT),
    JudgementStatus.CONTENT_TOO_LONG: (Outcome.TRUNCATED, Reason.CONTENT_TOO_LONG),
    JudgementStatus.UNPARSEABLE: (Outcome.UNPARSEABLE, Reason.NO_ANSWER),
}


_SILENT = (Outcome.EXPIRED, Outcome.TRUNCATED, Outcome.UNPARSEABLE, Outcome.FAILED)


class Reading(NamedTuple):
    """What a judgement says under its policy.

    `action` is None unless a violation decides it; `asks_for_person` is kept beside it, since a
    stricter rule's action would hide that another one wants a person to look.
    """

    outcome: Outcome
    reason: Reason | None = None
    category: str | None = None
    rule_ids: tuple[str, ...] = ()
    unknown_rules: tuple[str, ...] = ()
    severity: Severity | None = None
    action: Action | None = None
    asks_for_person: bool = False


class Finding(NamedTuple):
    """What became of one event under one policy, before it is written down as a verdict.

    Attributes:
        reading: The outcome and what follows from it.
        policy: None for an event that was not judged at all.
        judgement: As the engine or the cache gave it; None when there is none.
        stages: The path it took, such as `cache` or `low`.
        attempts: Requests to the engine.
        queued_s: From received to the first request, seconds.
        judging_s: From the first request to the last answer, seconds.
        cached_from: The verdict that is repeated here.
        score: P(violation) as it was weighed; None when there is none.
        score_calibrated: Whether the score is a probability that was fitted on data.
        effort: How long the model was allowed to reason; None when no model was asked.
        judged_by: Name of the engine and id of the model, where it is not the worker's engine.
        degraded: What was missing for this policy alone.
        combined: Whether the judgement is out of a prompt with other policies.
    """

    reading: Reading
    policy: Policy | None = None
    judgement: Judgement | None = None
    stages: tuple[str, ...] = ()
    attempts: int = 0
    queued_s: float = 0.0
    judging_s: float = 0.0
    cached_from: UUID | None = None
    score: float | None = None
    score_calibrated: bool = False
    effort: Effort | None = None
    judged_by: tuple[str, str] | None = None
    degraded: tuple[Degraded, ...] = ()
    combined: bool = False


FAULT: Final = Reading(Outcome.FAILED, Reason.INTERNAL_FAULT)
"""Something went wrong that nobody foresaw."""

EXPIRED: Final = Reading(Outcome.EXPIRED, Reason.DEADLINE_PASSED)
"""Nobody needs a judgement any more."""

SHED: Final = Reading(Outcome.EXPIRED, Reason.SHED_OVERLOAD)
"""Given up for others in an overload."""


def unasked(policies: Iterable[Policy], reading: Reading, queued_s: float) -> list[Finding]:
    """The findings on an event that no engine was asked about.

    Args:
        policies: Those it would have been judged under.
        reading: Why it was not.
        queued_s: How long it waited, seconds.
    """
    return [Finding(reading, policy, queued_s=queued_s) for policy in policies]


def unanswered(finding: Finding) -> bool:
    """Whether a policy that counts wanted an answer and got none; one on trial does not count."""
    if finding.reading.outcome not in _SILENT:
        return False
    return finding.policy is None or not finding.policy.shadow


def read(judgement: Judgement, policy: Policy) -> Reading:
    """The outcome of a judgement, with its citations checked against the policy.

    The label decides. A score inside the policy's uncertain band, one that says the opposite of
    the label at the policy's threshold, or rules cited for no violation send the event to a
    person instead.
    """
    if not judgement.complete:
        silence = _NO_ANSWER.get(judgement.status, (Outcome.UNPARSEABLE, Reason.NO_ANSWER))
        return Reading(*silence)
    known, unknown = _citations(judgement.rule_ids, policy)
    outcome, reason = _weigh(judgement, policy, cites=bool(known))
    if outcome is Outcome.NO_VIOLATION:
        return Reading(outcome, unknown_rules=unknown)
    gravest = max(known, key=lambda rule: rule.severity.rank, default=None)
    strictest = max((rule.action for rule in known), key=lambda act: act.rank, default=None)
    certain = outcome is Outcome.VIOLATION
    return Reading(
        outcome,
        reason,
        category=(gravest.category if gravest and gravest.category else policy.id),
        rule_ids=tuple(rule.id for rule in known),
        unknown_rules=unknown,
        severity=gravest.severity if gravest else None,
        action=(strictest or policy.fallback_action) if certain else None,
        asks_for_person=certain and any(rule.action is Action.ESCALATE for rule in known),
    )


def _weigh(judgement: Judgement, policy: Policy, *, cites: bool) -> tuple[Outcome, Reason | None]:
    label, score = judgement.violation, judgement.score
    if cites and not label:
        return Outcome.UNCERTAIN, Reason.RULES_CONTRADICT_LABEL
    if score is not None:
        if policy.uncertain and policy.uncertain[0] <= score <= policy.uncertain[1]:
            return Outcome.UNCERTAIN, Reason.SCORE_IN_BAND
        if (score >= policy.threshold) is not label:
            return Outcome.UNCERTAIN, Reason.SCORE_CONTRADICTS_LABEL
    return (Outcome.VIOLATION if label else Outcome.NO_VIOLATION), None


def _citations(cited: tuple[str, ...], policy: Policy) -> tuple[list[Rule], tuple[str, ...]]:
    known: dict[str, Rule] = {}
    unknown: dict[str, None] = {}
    for rule_id in cited:
        rule = policy.rule(rule_id)
        if rule is None:
            unknown[rule_id[:64]] = None
        else:
            known[rule.id] = rule
    return list(known.values()), tuple(unknown)
