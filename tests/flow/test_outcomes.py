"""Outcomes: every word of the vocabulary is reached by an event, and none becomes safe by chance.

The tables ask for a case of each outcome and each reason: a new word without one fails.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.classifiers import ScriptedClassifiers
from tests.flow.judges import Answer, ScriptedJudge, in_turn
from tests.flow.steps import Stands
from tests.flow.stores import DictCache, DictSeen
from tests.samples import (
    NOON,
    answered,
    chat_event,
    entry,
    input_record,
    policy,
    ticket,
)

from afterguard.contracts.codec import decode_event
from afterguard.contracts.errors import (
    EngineBusy,
    EngineFault,
    EngineLost,
    RejectedInput,
    RequestRefused,
)
from afterguard.contracts.policies import Policy
from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Degraded, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.admit import Admit
from afterguard.flow.asking import Asking
from afterguard.flow.decide import Decide, Decision
from afterguard.flow.dispatch import Dispatch
from afterguard.flow.effort import Step
from afterguard.flow.findings import read
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest, PolicySource
from afterguard.flow.repeats import keep, recall
from afterguard.flow.screening import Screening
from afterguard.flow.settings import DecideSettings, JudgingSettings
from afterguard.flow.shadows import Shadows
from afterguard.policy.prompt import content_for
from afterguard.policy.registry import PolicyRegistry
from afterguard.telemetry.metrics import Metrics

CLEAN, GUILTY = answered(False), answered(True, "H2")
BAND = policy(uncertain=(0.3, 0.7))


class Taken:
    """A publisher that remembers what it published, as the real one does."""

    def __init__(self, seen: DictSeen | None) -> None:
        self._seen = seen
        self.decisions: list[Decision] = []

    def publish(self, decision: Decision) -> None:
        """Keep it."""
        self.decisions.append(decision)
        if self._seen is not None and decision.seen_key is not None:
            self._seen.mark(decision.seen_key, decision.admission.record.coordinates)


async def verdicts(
    answer: Answer | Callable[[JudgeRequest], Answer],
    *events: dict[str, Any],
    policies: tuple[Policy, ...] = (policy(),),
    cache: DictCache | None = None,
    seen: DictSeen | None = None,
    step: Step = Step.FULL,
    shadows: Shadows | None = None,
    screening: Screening | None = None,
    source: Callable[[Sequence[Policy]], PolicySource] = PolicyRegistry,
) -> list[AuditRecord]:
    """The audit of these events, taken through admit, judge and decide one after the other."""
    judge, metrics, taken = ScriptedJudge(answer), Metrics(), Taken(seen)
    schedule = RetrySchedule(attempts=2, base_s=0.001, cap_s=0.001, full_s=0.01)
    asking = Asking(judge, schedule, metrics, steps=Stands(step))
    admit = Admit(source(policies), JudgingSettings(), max_clock_skew_s=60, now=lambda: NOON)
    dispatch = Dispatch(
        Judging(
            asking,
            content_for,
            metrics,
            cache=cache,
            seen=seen,
            shadows=shadows,
            screening=screening,
        ),
        Decide(DecideSettings(), engine=judge.engine, model=judge.model),
        taken,
        limit=1,
        metrics=metrics,
    )
    running = asyncio.create_task(dispatch.run())
    for offset, changes in enumerate(events or ({},)):
        record = input_record(offset=offset)
        dispatch.offer(admit.admit(chat_event(**changes), record, entry(offset), ticket()))
        while len(taken.decisions) <= offset:
            await asyncio.sleep(0.001)
    dispatch.close()
    await running
    return taken.decisions[-1].audit


Case = Callable[[], Awaitable[list[AuditRecord]]]


async def on_trial(answer: Callable[[JudgeRequest], Answer]) -> list[AuditRecord]:
    """The audit of a version on trial, beside the one in force."""
    both = await verdicts(
        answer,
        policies=(policy(), policy(stage="shadow", version="00000000000000bb")),
        shadows=Shadows(wait_s=0, overloaded=lambda: False),
    )
    return [it for it in both if it.shadow]


class Unconfirmed(PolicyRegistry):
    """Policies of a worker that has not reached its store yet."""

    @property
    def confirmed(self) -> bool:
        """Never."""
        return False


def screening(score: float | None) -> Screening:
    """A classifier that gives every text this score; its threshold is 0.4."""
    return Screening(
        ScriptedClassifiers(score),
        lambda event: str(event.content),
        Metrics().policies.prefilter,
        bypass_share=1e-9,
    )


FILTERED = policy(prefilter={"classifier": "sellers", "target_recall": 0.95})

OF_REASON: dict[Reason, tuple[Outcome, Case]] = {
    Reason.NO_POLICY_APPLIES: (
        Outcome.SKIPPED,
        lambda: verdicts(CLEAN, policies=(policy(applies_to={"kinds": ["completion"]}),)),
    ),
    Reason.EMPTY_CONTENT: (Outcome.SKIPPED, lambda: verdicts(CLEAN, {"content": " "})),
    Reason.DUPLICATE_EVENT: (
        Outcome.SKIPPED,
        lambda: verdicts(CLEAN, {}, {}, seen=DictSeen()),
    ),
    Reason.UNKNOWN_POLICY: (Outcome.SKIPPED, lambda: verdicts(CLEAN, {"policies": ["no-such"]})),
    Reason.CONTENT_TOO_LONG: (
        Outcome.TRUNCATED,
        lambda: verdicts(Judgement(JudgementStatus.CONTENT_TOO_LONG)),
    ),
    Reason.REASONING_CUT: (
        Outcome.TRUNCATED,
        lambda: verdicts(Judgement(JudgementStatus.REASONING_CUT)),
    ),
    Reason.NO_ANSWER: (
        Outcome.UNPARSEABLE,
        lambda: verdicts(Judgement(JudgementStatus.UNPARSEABLE)),
    ),
    Reason.SCORE_IN_BAND: (
        Outcome.UNCERTAIN,
        lambda: verdicts(answered(False, score=0.4), policies=(BAND,)),
    ),
    Reason.SCORE_CONTRADICTS_LABEL: (
        Outcome.UNCERTAIN,
        lambda: verdicts(answered(False, score=0.9)),
    ),
    Reason.RULES_CONTRADICT_LABEL: (
        Outcome.UNCERTAIN,
        lambda: verdicts(answered(False, "H2")),
    ),
    Reason.SECOND_LOOK_FAILED: (
        Outcome.UNCERTAIN,
        lambda: verdicts(
            in_turn(answered(False, score=0.4), Judgement(JudgementStatus.REASONING_CUT)),
            policies=(policy(second_look={"band": [0.3, 0.45]}),),
        ),
    ),
    Reason.DEADLINE_PASSED: (
        Outcome.EXPIRED,
        lambda: verdicts(CLEAN, {"deadline": NOON.isoformat()}),
    ),
    Reason.SHED_OVERLOAD: (
        Outcome.EXPIRED,
        lambda: verdicts(EngineBusy("full"), {"lane": "backfill"}),
    ),
    Reason.SHED_COMPUTE_BUDGET: (
        Outcome.EXPIRED,
        lambda: verdicts(CLEAN, step=Step.SHED),
    ),
    Reason.SHADOW_CUT: (
        Outcome.EXPIRED,
        lambda: on_trial(lambda asked: EngineBusy("full") if asked.policy.shadow else CLEAN),
    ),
    Reason.PREFILTERED: (
        Outcome.SKIPPED,
        lambda: verdicts(CLEAN, policies=(FILTERED,), screening=screening(0.1)),
    ),
    Reason.RETRIES_EXHAUSTED: (Outcome.FAILED, lambda: verdicts(EngineFault("odd"))),
    Reason.REQUEST_REFUSED: (Outcome.FAILED, lambda: verdicts(RequestRefused("no"))),
    Reason.INTERNAL_FAULT: (Outcome.FAILED, lambda: verdicts(ValueError("odd"))),
    Reason.QUARANTINED: (Outcome.FAILED, lambda: verdicts(EngineLost("gone"))),
}
WITHOUT_A_REASON: dict[Outcome, Case] = {
    Outcome.VIOLATION: lambda: verdicts(GUILTY),
    Outcome.NO_VIOLATION: lambda: verdicts(CLEAN),
}
OF_DEGRADED: dict[Degraded, Case] = {
    Degraded.CACHE_AWAY: lambda: verdicts(CLEAN, cache=DictCache(away=True)),
    Degraded.CLOCK_SKEW: lambda: verdicts(CLEAN, {"occurred_at": "2030-01-01T00:00:00Z"}),
    Degraded.CITATION_UNKNOWN: lambda: verdicts(answered(True, "Z9")),
    Degraded.POLICY_UNKNOWN: lambda: verdicts(CLEAN, {"policies": ["harassment", "no-such"]}),
    Degraded.POLICIES_UNCONFIRMED: lambda: verdicts(CLEAN, source=Unconfirmed),
    Degraded.UNSCREENED: lambda: verdicts(CLEAN, policies=(FILTERED,), screening=screening(None)),
    Degraded.EFFORT_REDUCED: lambda: verdicts(
        CLEAN, policies=(policy(effort="high"),), step=Step.LOW_EFFORT
    ),
    Degraded.SECOND_LOOK_FAILED: lambda: verdicts(
        in_turn(GUILTY, Judgement(JudgementStatus.REASONING_CUT)),
        policies=(policy(second_look={"severity": "high"}),),
    ),
}


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize("reason", Reason)
async def test_every_reason_is_reached_by_an_event(reason: Reason) -> None:
    outcome, case = OF_REASON[reason]
    (verdict,) = await case()
    assert (verdict.outcome, verdict.reason) == (outcome, reason)


@pytest.mark.parametrize("outcome", WITHOUT_A_REASON)
async def test_a_plain_answer_needs_no_reason(outcome: Outcome) -> None:
    (verdict,) = await WITHOUT_A_REASON[outcome]()
    assert (verdict.outcome, verdict.reason) == (outcome, None)


def test_bad_input_is_rejected_before_any_verdict() -> None:
    with pytest.raises(RejectedInput):
        decode_event(input_record(b"{}"), max_bytes=1_000)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_its_case(outcome: Outcome) -> None:
    told = {it for it, _ in OF_REASON.values()} | set(WITHOUT_A_REASON)
    # `rejected` is told by the dead letter alone: there is no event to write a verdict about.
    assert outcome in told | {Outcome.REJECTED}


@pytest.mark.parametrize("word", OF_DEGRADED)
async def test_whatever_was_missing_is_told_in_the_verdict(word: Degraded) -> None:
    (verdict,) = await OF_DEGRADED[word]()
    assert verdict.degraded == (word,)


@pytest.mark.parametrize("word", Degraded)
def test_every_gap_has_its_case(word: Degraded) -> None:
    # A target is left out where records are made: tests/stream has that case.
    assert word in {*OF_DEGRADED, Degraded.TARGET_LEFT_OUT}


judgements = st.builds(
    Judgement,
    others=st.just(()),
    status=st.sampled_from(JudgementStatus),
    violation=st.none() | st.booleans(),
    rule_ids=st.lists(st.sampled_from(["H1", "H2", "Z9", ""]), max_size=4).map(tuple),
    score=st.none() | st.floats() | st.floats(0, 1),
    rationale=st.just("because"),
    answer=st.just("{}"),
    prompt_tokens=st.just(1),
    cached_prompt_tokens=st.just(0),
    output_tokens=st.just(1),
)
policies_of_any_kind = st.builds(
    policy,
    threshold=st.floats(0.01, 0.99),
    uncertain=st.none() | st.just((0.35, 0.65)),
    effort=st.sampled_from(["low", "medium", "high"]),
)


def says_clean(judgement: Judgement, under: Policy) -> bool:
    """The one way to `no_violation`, written down a second time and apart from the code."""
    score = judgement.score
    if judgement.status is not JudgementStatus.ANSWERED or judgement.violation is not False:
        return False
    if any(under.rule(cited) for cited in judgement.rule_ids):
        return False
    if score is None:
        return True
    in_band = under.uncertain is not None and under.uncertain[0] <= score <= under.uncertain[1]
    return 0 <= score < under.threshold and not in_band


@given(judgements, policies_of_any_kind)
def test_only_a_complete_valid_answer_becomes_no_violation(
    judgement: Judgement, under: Policy
) -> None:
    reading = read(judgement, under)
    assert (reading.outcome is Outcome.NO_VIOLATION) is says_clean(judgement, under)


@given(judgements, policies_of_any_kind)
def test_the_audit_says_no_violation_only_of_such_an_answer(
    judgement: Judgement, under: Policy
) -> None:
    (verdict,) = asyncio.run(verdicts(judgement, policies=(under,)))
    assert (verdict.outcome is Outcome.NO_VIOLATION) is says_clean(judgement, under)


@given(judgements, policies_of_any_kind)
def test_a_judgement_that_was_kept_reads_as_it_did_before(
    judgement: Judgement, under: Policy
) -> None:
    kept = keep(judgement, under.effort, uuid4())
    assert (kept is not None) is judgement.complete
    if kept is not None:
        repeat = recall(kept)
        assert repeat is not None
        assert read(repeat.judgement, under) == read(judgement, under)
