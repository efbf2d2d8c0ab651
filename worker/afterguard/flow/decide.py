"""Decide: the verdicts on one event become one decision.

The strictest action wins. Shadow verdicts are written down and never acted upon. A verdict that
could not be reached asks for a person, unless the settings say otherwise.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from afterguard.contracts.coordinates import intervention_id, verdict_id
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.policies import Policy
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import ANSWERED, Action, Degraded, Outcome, Reason
from afterguard.flow.admit import Admission
from afterguard.flow.findings import FAULT, Finding, Reading
from afterguard.flow.ports import Judgement, JudgementStatus
from afterguard.flow.settings import DecideSettings

Word = TypeVar("Word", bound=str)

_NOTHING = Judgement(JudgementStatus.UNPARSEABLE)


class Decision(NamedTuple):
    """Everything that is to be published about one event.

    Attributes:
        admission: The event.
        audit: One record for each verdict.
        intervention: What the platform is asked to do; None when there is nothing to do.
        failed: The finding that sends the event to the dead letters, if any; never a shadow's.
        seen_key: The key to remember the event by; None unless every verdict is final that is
            acted upon.
    """

    admission: Admission
    audit: list[AuditRecord]
    intervention: Intervention | None
    failed: Finding | None
    seen_key: str | None


class Decide:
    """Merges findings into decisions.

    Args:
        settings: What follows from what.
        engine: Name of the engine, written into verdicts.
        model: Id of the model, written into verdicts.
    """

    def __init__(self, settings: DecideSettings, *, engine: str, model: str) -> None:
        self._settings = settings
        self._engine, self._model = engine, model
        self._never = frozenset(settings.never_automate)

    def decide(self, admission: Admission, findings: Sequence[Finding], now: datetime) -> Decision:
        """The decision on one event; pure.

        Args:
            admission: The event.
            findings: At least one.
            now: The wall clock.
        """
        age_ms = max(0.0, (now - admission.event.occurred_at).total_seconds() * 1000)
        audit = [self._written(admission, finding, now, age_ms) for finding in findings]
        failed = None
        final = True
        for finding in findings:
            if _on_trial(finding):
                continue
            outcome = finding.reading.outcome
            final = final and outcome in ANSWERED
            if outcome is Outcome.FAILED:
                failed = finding
        return Decision(
            admission,
            audit,
            self._intervention(admission, audit, now, age_ms),
            failed,
            admission.seen_key if final else None,
        )

    def _action(self, reading: Reading, policy: Policy | None) -> Action:
        if reading.outcome is Outcome.NO_VIOLATION or reading.reason is Reason.DUPLICATE_EVENT:
            return Action.NONE
        if reading.outcome is Outcome.VIOLATION:
            action = reading.action or Action.ESCALATE
        elif reading.outcome is Outcome.EXPIRED and policy and policy.on_expiry:
            action = policy.on_expiry
        else:
            action = self._settings.unjudged_action.get(reading.outcome, Action.NONE)
        return Action.ESCALATE if action in self._never else action

    def _written(
        self, admission: Admission, finding: Finding, now: datetime, age_ms: float
    ) -> AuditRecord:
        try:
            return self._verdict(admission, finding, now, age_ms)
        except (ValueError, TypeError, OverflowError):
            if not _on_trial(finding):
                raise
            # What was said under a version on trial must not cost the event its decision.
            return self._verdict(admission, Finding(FAULT, finding.policy), now, age_ms)

    def _verdict(
        self, admission: Admission, finding: Finding, now: datetime, age_ms: float
    ) -> AuditRecord:
        event, place, replay_of = admission.event, admission.record.coordinates, admission.replay_of
        policy, reading = finding.policy, finding.reading
        judgement = finding.judgement or _NOTHING
        degraded = [*admission.degraded, *finding.degraded]
        if reading.unknown_rules:
            degraded.append(Degraded.CITATION_UNKNOWN)
        action = self._action(reading, policy)
        engine, model = finding.judged_by or (
            (self._engine, self._model) if policy else (None, None)
        )
        policy_id, version = (policy.id, policy.version) if policy else (None, None)
        return AuditRecord.model_validate(
            {
                "verdict_id": verdict_id(admission.origin, policy_id or "", version or ""),
                "event_id": event.event_id,
                "conversation_id": event.conversation_id,
                "tenant": event.tenant,
                "topic": place.topic,
                "partition": place.partition,
                "offset": place.offset,
                "origin": str(replay_of.coordinates) if replay_of else None,
                "replay": replay_of.replay if replay_of else 0,
                "policy_id": policy_id,
                "policy_version": version,
                "outcome": reading.outcome,
                "reason": reading.reason,
                "category": reading.category,
                "rule_ids": reading.rule_ids,
                "unknown_rules": reading.unknown_rules,
                "severity": reading.severity,
                "action": action,
                "needs_review": reading.asks_for_person or action is Action.ESCALATE,
                "score": finding.score,
                "score_calibrated": finding.score_calibrated,
                "effort": finding.effort,
                "stages": finding.stages,
                "engine": engine,
                "model": model,
                "prompt_tokens": judgement.prompt_tokens,
                "cached_prompt_tokens": judgement.cached_prompt_tokens,
                "output_tokens": judgement.output_tokens,
                "attempts": finding.attempts,
                "cached_from": finding.cached_from,
                "shadow": policy is not None and policy.shadow,
                "degraded": degraded,
                "rationale": judgement.rationale or None,
                "answer": judgement.answer or None,
                "timings": {
                    "received_at": admission.received_at,
                    "published_at": now,
                    "queued_ms": finding.queued_s * 1000,
                    "judging_ms": finding.judging_s * 1000,
                    "event_to_publish_ms": age_ms,
                },
            }
        )

    def _intervention(
        self,
        admission: Admission,
        audit: Sequence[AuditRecord],
        now: datetime,
        age_ms: float,
    ) -> Intervention | None:
        acting = [verdict for verdict in audit if not verdict.shadow]
        if not acting:
            return None
        lead = max(acting, key=_weight) if len(acting) > 1 else acting[0]
        if lead.action is Action.NONE and not self._settings.publish_none:
            return None
        if lead.reason is Reason.DUPLICATE_EVENT:
            # What follows from this event was said where it was first judged.
            return None
        event, place, replay_of = admission.event, admission.record.coordinates, admission.replay_of
        revision = replay_of.replay if replay_of else 0
        cause = [verdict for verdict in acting if verdict.action is not Action.NONE] or [lead]
        lifetime = self._settings.expires_after_s
        return Intervention(
            intervention_id=intervention_id(admission.origin, revision),
            revision=revision,
            verdict_ids=tuple(verdict.verdict_id for verdict in cause),
            event_id=event.event_id,
            conversation_id=event.conversation_id,
            tenant=event.tenant,
            channel_id=event.channel_id,
            author_id=event.author.id,
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
            origin=str(replay_of.coordinates) if replay_of else None,
            target=event.target,
            action=lead.action,
            outcome=lead.outcome,
            severity=max(
                (it.severity for it in cause if it.severity), key=lambda s: s.rank, default=None
            ),
            needs_review=any(verdict.needs_review for verdict in acting),
            reason_code=_reason_code(lead),
            rule_ids=_union(verdict.rule_ids for verdict in cause),
            policy_ids=tuple(sorted({it.policy_id for it in cause if it.policy_id})),
            expires_at=now + timedelta(seconds=lifetime) if lifetime else None,
            degraded=_union(verdict.degraded for verdict in cause),
            decided_at=now,
            event_to_intervention_ms=age_ms,
        )


def _on_trial(finding: Finding) -> bool:
    return finding.policy is not None and finding.policy.shadow


def _union(parts: Iterable[tuple[Word, ...]]) -> tuple[Word, ...]:
    return tuple(sorted({word for part in parts for word in part}))


def _weight(verdict: AuditRecord) -> tuple[int, bool, int, str]:
    severity = verdict.severity.rank if verdict.severity else -1
    violates = verdict.outcome is Outcome.VIOLATION
    # The policy's name makes equals differ, or the order of the policies would decide.
    return verdict.action.rank, violates, severity, verdict.policy_id or ""


def _reason_code(verdict: AuditRecord) -> str:
    if verdict.outcome is Outcome.VIOLATION and verdict.category:
        return verdict.category
    return (verdict.reason or verdict.outcome).value
