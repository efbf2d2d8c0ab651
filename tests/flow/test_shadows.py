"""Shadows: whatever becomes of a policy on trial, what is acted upon stays as it would be."""

import asyncio
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flow.judges import Answer, HeldJudge, ScriptedJudge
from tests.flow.stores import DictCache, DictSeen
from tests.samples import NOON, admission, answered, input_record, policy

from afterguard.contracts.errors import EngineDead, EngineFault, RequestRefused
from afterguard.contracts.policies import Policy, Prefilter
from afterguard.contracts.words import Lane, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.admit import Admission
from afterguard.flow.asking import Asking
from afterguard.flow.decide import Decide, Decision
from afterguard.flow.effort import Step
from afterguard.flow.findings import Finding, Reading, read
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest, Screened
from afterguard.flow.screening import Screening
from afterguard.flow.settings import DecideSettings
from afterguard.flow.shadows import PRIORITY_BEHIND, Shadows
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics

ACTIVE: Final = policy()
OTHER: Final = policy(id="spam")
SHADOW: Final = policy(stage="shadow", version="00000000000000bb")


class AllLanes:
    """A compute budget that leaves every lane the same."""

    def __init__(self, step: Step) -> None:
        self._step = step

    def step(self, lane: Lane) -> Step:
        """The same for each."""
        del lane
        return self._step


class Bench:
    """A judging with trials, and the decision on what it finds."""

    def __init__(
        self,
        judge: ScriptedJudge,
        *,
        wait_s: float = 0.0,
        overloaded: bool = False,
        step: Step = Step.FULL,
        **parts: Any,
    ) -> None:
        self.judge, self.metrics = judge, Metrics()
        schedule = RetrySchedule(attempts=2, base_s=0.001, cap_s=0.001)
        asking = Asking(judge, schedule, self.metrics, steps=AllLanes(step))
        shadows = Shadows(wait_s=wait_s, overloaded=lambda: overloaded)
        self.judging = Judging(asking, content_for, self.metrics, shadows=shadows, **parts)
        self.decide = Decide(DecideSettings(), engine="scripted", model="scripted-1")

    async def findings(self, *policies: Policy, **changes: Any) -> dict[str, Finding]:
        found = await self.judging.judge(admission(policies=policies, **changes))
        return {it.policy.handle: it for it in found if it.policy is not None}

    async def decision(self, admitted: Admission) -> Decision:
        return self.decide.decide(admitted, await self.judging.judge(admitted), NOON)


def by_stage(active: Answer, shadow: Answer) -> Any:
    return lambda asked: shadow if asked.policy.shadow else active


async def test_a_shadow_is_asked_behind_everything_that_came_within_the_hour() -> None:
    judge = ScriptedJudge(answered(False))
    await Bench(judge, wait_s=1).findings(ACTIVE, SHADOW, place=12.3)
    assert {it.policy.handle: it.priority for it in judge.requests} == {
        "harassment": 123,
        "harassment@00000000000000bb": 123 + PRIORITY_BEHIND,
    }


async def test_a_shadow_that_is_done_in_time_has_its_verdict() -> None:
    judge = ScriptedJudge(by_stage(answered(False), answered(True, "H1")))
    found = await Bench(judge, wait_s=5).findings(ACTIVE, SHADOW)
    assert found[ACTIVE.handle].reading.outcome is Outcome.NO_VIOLATION
    assert found[SHADOW.handle].reading.outcome is Outcome.VIOLATION


async def test_a_shadow_that_hangs_is_ended_in_the_engine_and_does_not_hold_up_the_others() -> None:
    judge = HeldJudge(answered(True, "H2"))
    judge.let("chat.events/0/0/harassment")
    found = await Bench(judge).findings(ACTIVE, SHADOW)
    assert found[ACTIVE.handle].reading.outcome is Outcome.VIOLATION
    assert found[SHADOW.handle].reading[:2] == (Outcome.EXPIRED, Reason.SHADOW_CUT)
    assert judge.ended == [f"chat.events/0/0/{SHADOW.handle}"]


async def test_what_is_acted_upon_is_waited_for_however_long_its_shadow_is_done() -> None:
    judge = HeldJudge(answered(False))
    judge.let(f"chat.events/0/0/{SHADOW.handle}")
    judging = asyncio.ensure_future(Bench(judge).findings(ACTIVE, SHADOW))
    await asyncio.sleep(0.02)
    assert not judging.done()
    judge.let("chat.events/0/0/harassment")
    assert (await judging)[SHADOW.handle].reading.outcome is Outcome.NO_VIOLATION


async def test_an_event_that_only_a_shadow_judges_has_the_time_of_the_event() -> None:
    judge = HeldJudge(answered(True, "H1"))
    judging = asyncio.ensure_future(Bench(judge).findings(SHADOW))
    await asyncio.sleep(0.02)
    judge.let(f"chat.events/0/0/{SHADOW.handle}")
    assert (await judging)[SHADOW.handle].reading.outcome is Outcome.VIOLATION


async def test_work_that_is_given_up_ends_all_its_requests() -> None:
    judge = HeldJudge(answered(False))
    judging = asyncio.ensure_future(Bench(judge).findings(ACTIVE, OTHER, SHADOW))
    await asyncio.sleep(0.02)
    judging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await judging
    assert len(judge.ended) == 3


async def test_in_an_overload_shadows_are_not_asked_for() -> None:
    judge = ScriptedJudge(answered(False))
    found = await Bench(judge, overloaded=True).findings(ACTIVE, SHADOW)
    assert found[SHADOW.handle].reading[:2] == (Outcome.EXPIRED, Reason.SHED_OVERLOAD)
    assert [it.policy for it in judge.requests] == [ACTIVE]


@pytest.mark.parametrize("step", [it for it in Step if it not in {Step.FULL, Step.SHED}])
async def test_a_compute_budget_that_is_short_gives_up_shadows_before_anything_is_shed(
    step: Step,
) -> None:
    found = await Bench(ScriptedJudge(answered(False)), step=step).findings(ACTIVE, SHADOW)
    assert found[SHADOW.handle].reading.reason is Reason.SHED_COMPUTE_BUDGET
    assert found[ACTIVE.handle].reading.outcome is Outcome.NO_VIOLATION


@pytest.mark.usefixtures("expected_errors")
async def test_a_judgement_that_cannot_be_kept_costs_a_shadow_its_own_verdict_alone() -> None:
    class Full(DictCache):
        def put(self, key: str, value: bytes) -> None:
            if len(self.kept) > 0:
                raise RuntimeError("odd")
            super().put(key, value)

    judge = HeldJudge(answered(False))
    bench = Bench(judge, wait_s=5, cache=Full())
    judging = asyncio.ensure_future(bench.findings(ACTIVE, SHADOW))
    judge.let("chat.events/0/0/harassment")
    await asyncio.sleep(0.02)
    judge.let(f"chat.events/0/0/{SHADOW.handle}")
    found = await judging
    assert found[SHADOW.handle].reading[:2] == (Outcome.FAILED, Reason.INTERNAL_FAULT)
    assert found[ACTIVE.handle].reading.outcome is Outcome.NO_VIOLATION


class HungClassifiers:
    """Classifiers that never answer."""

    async def score(self, policy: Policy, text: str) -> Screened | None:
        """Never."""
        del policy, text
        await asyncio.Event().wait()
        return None


async def test_a_shadow_s_classifier_that_hangs_does_not_hold_up_the_others() -> None:
    prefiltered = SHADOW.model_copy(update={"prefilter": Prefilter(classifier="queue-1")})
    screening = Screening(
        HungClassifiers(),
        lambda event: str(event.content),
        Metrics().policies.prefilter,
        bypass_share=0,
    )
    bench = Bench(ScriptedJudge(answered(True, "H1")), screening=screening)
    found = await bench.findings(ACTIVE, prefiltered)
    assert found[ACTIVE.handle].reading.outcome is Outcome.VIOLATION
    assert found[prefiltered.handle].reading.reason is Reason.SHADOW_CUT


async def test_an_engine_that_dies_under_a_shadow_ends_the_judging() -> None:
    judge = ScriptedJudge(by_stage(answered(False), EngineDead("gone")))
    with pytest.raises(ExceptionGroup) as raised:
        await Bench(judge, wait_s=5).findings(ACTIVE, SHADOW)
    assert raised.group_contains(EngineDead)


async def test_tries_of_a_shadow_are_not_told_as_those_of_its_event() -> None:
    judge = ScriptedJudge(by_stage(answered(False), EngineFault("again")))
    admitted = admission(policies=(ACTIVE, SHADOW))
    await Bench(judge, wait_s=5).decision(admitted)
    assert admitted.attempts == 1


async def test_a_judgement_made_on_trial_is_used_when_the_version_becomes_active() -> None:
    judge, cache = ScriptedJudge(answered(True, "H1")), DictCache()
    bench = Bench(judge, wait_s=5, cache=cache)
    await bench.findings(SHADOW)
    promoted = SHADOW.model_copy(update={"stage": "active"})
    found = await bench.findings(promoted, record=input_record(offset=1))
    assert found["harassment"].stages == ("cache",)


async def test_an_event_sent_again_after_a_trial_began_is_known_all_the_same() -> None:
    judge, seen = ScriptedJudge(answered(True, "H1")), DictSeen()
    bench = Bench(judge, wait_s=5, seen=seen)
    first = admission(policies=(ACTIVE,))
    await bench.judging.judge(first)
    seen.mark(first.seen_key or "", first.record.coordinates)
    (again,) = await bench.judging.judge(
        admission(policies=(ACTIVE, SHADOW), record=input_record(offset=1))
    )
    assert again.reading.reason is Reason.DUPLICATE_EVENT


def decided(judgement: Judgement | None = None, reading: Reading | None = None) -> Decision:
    """On an event that is clean, and of which this was found under a version on trial."""
    clean = answered(False)
    told = judgement or clean
    findings = [
        Finding(reading or read(told, SHADOW), SHADOW, judgement),
        Finding(read(clean, ACTIVE), ACTIVE, clean),
    ]
    decide = Decide(DecideSettings(), engine="scripted", model="scripted-1")
    return decide.decide(admission(policies=(SHADOW, ACTIVE), seen_key="e:1"), findings, NOON)


def test_a_shadow_that_failed_does_not_send_its_event_to_the_dead_letters() -> None:
    decision = decided(reading=Reading(Outcome.FAILED, Reason.RETRIES_EXHAUSTED))
    assert decision.failed is None
    assert [it.outcome for it in decision.audit] == [Outcome.FAILED, Outcome.NO_VIOLATION]


def test_a_shadow_that_was_cut_does_not_keep_its_event_from_being_remembered() -> None:
    cut = Reading(Outcome.EXPIRED, Reason.SHADOW_CUT)
    assert decided(reading=cut).seen_key == "e:1"


def test_what_cannot_be_written_of_a_shadow_leaves_the_others_their_verdict() -> None:
    decision = decided(answered(True, "H1")._replace(output_tokens=-1))
    assert [(it.outcome, it.reason) for it in decision.audit] == [
        (Outcome.FAILED, Reason.INTERNAL_FAULT),
        (Outcome.NO_VIOLATION, None),
    ]


ENDS: Final[tuple[Answer, ...]] = (
    answered(True, "H1"),
    answered(True, "H2", score=0.99),
    answered(True, "UNKNOWN1"),
    answered(False, score=0.6),
    answered(False),
    Judgement(JudgementStatus.REASONING_CUT),
    Judgement(JudgementStatus.ANSWERED, violation=True, score=float("nan")),
    EngineFault("again"),
    RequestRefused("never"),
    RuntimeError("odd"),
)
# Two more: nothing that could be written down, and no answer at all.
TRIALS: Final = (*ENDS, Judgement(JudgementStatus.ANSWERED, True, output_tokens=-1), None)
answers = st.sampled_from(ENDS)
trials = st.lists(st.sampled_from(TRIALS), min_size=1, max_size=3)


def judge_of(ends: dict[str, Answer | None]) -> HeldJudge:
    def script(asked: JudgeRequest) -> Answer:
        answer = ends[asked.policy.handle]
        assert answer is not None
        return answer

    judge = HeldJudge(script)
    for handle, answer in ends.items():
        if answer is not None:
            judge.let(f"chat.events/0/0/{handle}")
    return judge


def acted_upon(decision: Decision) -> Any:
    """All that a platform sees of a decision, without the times that it took."""
    timeless = {"timings", "degraded"}
    return (
        [it.model_dump(exclude=timeless) for it in decision.audit if not it.shadow],
        decision.intervention,
        decision.failed and (decision.failed.policy, decision.failed.reading),
        decision.seen_key,
        decision.admission.attempts,
        decision.admission.lane,
    )


@pytest.mark.usefixtures("expected_errors")
@settings(max_examples=150, deadline=None)
@given(answers, answers, trials, st.booleans(), st.booleans())
def test_nothing_that_becomes_of_shadows_changes_what_is_acted_upon(
    one: Answer, other: Answer, ends: list[Answer | None], unseen: bool, overloaded: bool
) -> None:
    shadows = [
        policy(stage="shadow", version=f"{number:016x}", id=("harassment", "spam", "new")[number])
        for number in range(len(ends))
    ]
    scripted: dict[str, Answer | None] = {ACTIVE.handle: one, OTHER.handle: other}
    scripted |= {it.handle: end for it, end in zip(shadows, ends, strict=True)}

    async def decide(*policies: Policy) -> Decision:
        parts: dict[str, Any] = {} if unseen else {"seen": DictSeen(), "cache": DictCache()}
        bench = Bench(judge_of(scripted), wait_s=0.001, overloaded=overloaded, **parts)
        return await bench.decision(admission(policies=policies))

    without = asyncio.run(decide(ACTIVE, OTHER))
    beside = asyncio.run(decide(ACTIVE, OTHER, *shadows))
    assert acted_upon(beside) == acted_upon(without)
    assert {it.policy_version for it in beside.audit if it.shadow} == {it.version for it in shadows}
