"""Together: one request for the policies of an event, and for each of them its own finding."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.judges import Answer, ScriptedJudge, in_turn
from tests.flow.steps import Stands
from tests.flow.stores import DictCache
from tests.samples import admission, answered, input_record, policy

from afterguard.contracts.errors import EngineDead, EngineFault, RequestRefused
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.effort import Step
from afterguard.flow.findings import Finding
from afterguard.flow.judge import Judging
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest
from afterguard.flow.shadows import Shadows
from afterguard.flow.together import Together
from afterguard.policy.prompt import content_for
from afterguard.telemetry.metrics import Metrics

HARASSMENT = policy()
HATE = policy(id="hate", effort="medium", uncertain=(0.4, 0.6), second_look={"effort": "high"})
SPAM = policy(id="spam")
THREE = (SPAM, HATE, HARASSMENT)
# In the order in which they share a prompt.
ASKED = ["harassment", "spam", "hate"]
SHADOW = policy(stage="shadow", version="00000000000000bb")
CLEAN, SLUR = answered(False, score=0.1), answered(True, "H2", score=0.9)


def together(*judgements: Judgement) -> Judgement:
    """As an engine answers for policies of one prompt."""
    first, *others = judgements
    free = (it._replace(prompt_tokens=0, output_tokens=0) for it in others)
    return first._replace(others=tuple(free))


class Doubled:
    """Scores that were all fitted."""

    def calibrated(self, score: float, under: Policy, effort: Effort) -> float | None:
        """See `flow.asking.Scores.calibrated`."""
        del under, effort
        return min(1.0, score * 2)


class Bench:
    """A judging whose policies share prompts."""

    def __init__(
        self,
        script: Answer | Callable[[JudgeRequest], Answer],
        *,
        most: int = 6,
        step: Step = Step.FULL,
        scores: Any = None,
        shared: bool = True,
        **parts: Any,
    ) -> None:
        self.judge, self.metrics, self.steps = ScriptedJudge(script), Metrics(), Stands(step)
        schedule = RetrySchedule(attempts=2, base_s=0.001, cap_s=0.001)
        asking = Asking(self.judge, schedule, self.metrics, scores=scores, steps=self.steps)
        both = Together(asking, most) if shared else None
        self.judging = Judging(asking, content_for, self.metrics, together=both, **parts)

    async def findings(self, *policies: Policy, **changes: Any) -> list[Finding]:
        return await self.judging.judge(admission(policies=policies or THREE, **changes))

    @property
    def asked(self) -> list[list[str]]:
        """The policies of each request."""
        return [[policy.handle for policy in it.policies] for it in self.judge.requests]


def for_each(request: JudgeRequest) -> Judgement:
    """An engine that finds hate, and nothing else."""
    return together(*(SLUR if it.id == "hate" else CLEAN for it in request.policies))


def many(count: int, **changes: Any) -> list[Policy]:
    """Policies of different ids."""
    return [policy(id=f"p-{number:02}", **changes) for number in range(count)]


@given(
    st.integers(0, 20),
    st.integers(0, 3),
    st.integers(2, 12),
    st.randoms(use_true_random=False),
)
def test_each_policy_is_in_one_prompt_and_a_trial_in_none_with_others(
    acting: int, trials: int, most: int, random: Any
) -> None:
    policies = many(acting) + many(trials, stage="shadow", version="00000000000000bb")
    asking = Asking(ScriptedJudge(CLEAN), RetrySchedule(1, 1, 1), Metrics())
    groups = Together(asking, most).groups(policies)
    assert sorted(it.handle for group in groups for it in group) == sorted(
        it.handle for it in policies
    )
    assert all(len(group) == 1 for group in groups if group[0].shadow)
    sizes = [len(group) for group in groups if not group[0].shadow]
    assert max(sizes, default=0) <= most
    assert max(sizes, default=0) - min(sizes, default=0) <= 1
    random.shuffle(policies)
    shuffled = Together(asking, most).groups(policies)
    assert [it for it in shuffled if not it[0].shadow] == [it for it in groups if not it[0].shadow]


async def test_all_policies_have_one_request_and_each_its_own_finding_in_their_order() -> None:
    bench = Bench(for_each)
    findings = await bench.findings()
    assert bench.asked == [ASKED]
    assert [(it.policy, it.reading.outcome, it.score) for it in findings] == [
        (SPAM, Outcome.NO_VIOLATION, 0.1),
        (HATE, Outcome.VIOLATION, 0.9),
        (HARASSMENT, Outcome.NO_VIOLATION, 0.1),
    ]
    assert {it.stages for it in findings} == {("combined", "medium")}
    assert [it.judgement.prompt_tokens for it in findings if it.judgement] == [0, 0, 10]


async def test_a_prompt_has_the_highest_effort_of_its_policies_and_a_name_of_its_own() -> None:
    bench = Bench(for_each)
    await bench.findings()
    (request,) = bench.judge.requests
    assert request.effort is Effort.MEDIUM
    assert request.request_id == "chat.events/0/0/harassment+spam+hate"


async def test_a_lane_that_gave_up_its_effort_shares_prompts_at_a_low_one() -> None:
    bench = Bench(for_each, step=Step.LOW_EFFORT)
    await bench.findings()
    assert [it.effort for it in bench.judge.requests] == [Effort.LOW]


async def test_more_policies_than_a_prompt_may_hold_share_several() -> None:
    bench = Bench(for_each, most=3)
    findings = await bench.findings(*many(4))
    assert bench.asked == [["p-00", "p-01"], ["p-02", "p-03"]]
    assert [it.reading.outcome for it in findings] == [Outcome.NO_VIOLATION] * 4


async def test_one_policy_alone_goes_the_ordinary_way() -> None:
    bench = Bench(CLEAN)
    (finding,) = await bench.findings(SPAM)
    (request,) = bench.judge.requests
    assert (request.also, request.request_id) == ((), "chat.events/0/0/spam")
    assert (finding.stages, finding.combined) == (("low",), False)


@pytest.mark.parametrize("shadows", [None, Shadows(wait_s=1.0, overloaded=lambda: False)])
async def test_a_policy_on_trial_is_in_no_prompt_with_others(shadows: Shadows | None) -> None:
    bench = Bench(for_each, shadows=shadows)
    findings = await bench.findings(*THREE, SHADOW)
    assert sorted(bench.asked) == sorted([ASKED, [SHADOW.handle]])
    assert findings[-1].policy == SHADOW


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (JudgementStatus.REASONING_CUT, Outcome.TRUNCATED),
        (JudgementStatus.UNPARSEABLE, Outcome.UNPARSEABLE),
    ],
)
@pytest.mark.parametrize("told", [1, 3])
async def test_what_is_no_answer_is_none_under_every_policy(
    status: JudgementStatus, outcome: Outcome, told: int
) -> None:
    findings = await Bench(together(*[Judgement(status)] * told)).findings()
    assert {it.reading.outcome for it in findings} == {outcome}


async def test_a_policy_without_an_answer_of_its_own_is_unparseable_and_the_others_stand() -> None:
    bench = Bench(together(CLEAN, Judgement(JudgementStatus.UNPARSEABLE), SLUR))
    findings = await bench.findings()
    assert [it.reading.outcome for it in findings] == [
        Outcome.UNPARSEABLE,
        Outcome.VIOLATION,
        Outcome.NO_VIOLATION,
    ]


@given(st.lists(st.sampled_from([CLEAN, SLUR]), max_size=5))
async def test_an_engine_that_answers_for_too_few_leaves_the_rest_without_an_answer(
    others: list[Judgement],
) -> None:
    findings = {it.policy: it for it in await Bench(together(CLEAN, *others)).findings()}
    for place, under in enumerate((HARASSMENT, SPAM, HATE)):
        outcome = findings[under].reading.outcome
        assert (outcome is Outcome.UNPARSEABLE) is (place > len(others))


async def test_a_fault_is_tried_again_once_for_all() -> None:
    bench = Bench(in_turn(EngineFault("odd"), together(CLEAN, CLEAN, SLUR)))
    findings = await bench.findings()
    assert bench.asked == [ASKED, ASKED]
    assert {it.attempts for it in findings} == {2}


async def test_a_request_that_is_given_up_fails_every_policy_of_it() -> None:
    findings = await Bench(EngineFault("odd")).findings()
    assert {(it.reading.outcome, it.reading.reason) for it in findings} == {
        (Outcome.FAILED, Reason.RETRIES_EXHAUSTED)
    }
    assert {it.policy for it in findings} == set(THREE)


async def test_a_deadline_that_passes_expires_every_policy() -> None:
    findings = await Bench(for_each).findings(deadline=0.0)
    assert {it.reading.outcome for it in findings} == {Outcome.EXPIRED}
    assert {it.stages for it in findings} == {()}


async def test_a_dead_engine_is_told_as_such() -> None:
    with pytest.raises(EngineDead):
        await Bench(EngineDead("gone")).findings()


@pytest.mark.parametrize(
    "too_much", [Judgement(JudgementStatus.CONTENT_TOO_LONG), RequestRefused("no")]
)
async def test_what_has_no_room_beside_so_many_is_asked_about_one_by_one(too_much: Answer) -> None:
    bench = Bench(lambda request: too_much if request.also else CLEAN)
    findings = await bench.findings()
    assert bench.asked == [ASKED, *([it] for it in ASKED)]
    assert {it.reading.outcome for it in findings} == {Outcome.NO_VIOLATION}
    assert [it.stages for it in findings] == [("low",), ("medium",), ("low",)]


async def test_a_second_look_is_taken_under_the_policy_in_doubt_alone() -> None:
    close = answered(False, score=0.5)
    bench = Bench(in_turn(together(CLEAN, CLEAN, close), SLUR))
    findings = await bench.findings()
    assert bench.asked == [ASKED, ["hate"]]
    assert [it.stages for it in findings] == [
        ("combined", "medium"),
        ("combined", "medium", "high"),
        ("combined", "medium"),
    ]
    assert findings[1].reading.outcome is Outcome.VIOLATION


async def test_only_answers_of_prompts_with_one_policy_are_calibrated() -> None:
    close = answered(False, score=0.5)
    bench = Bench(
        in_turn(together(CLEAN, CLEAN, close), answered(True, score=0.4)), scores=Doubled()
    )
    findings = await bench.findings()
    assert [(it.score, it.score_calibrated) for it in findings] == [
        (0.1, False),
        (0.8, True),
        (0.1, False),
    ]


async def again(bench: Bench, *policies: Policy) -> list[Finding]:
    """The same content once more."""
    return await bench.findings(*policies, record=input_record(offset=1))


async def test_equal_content_is_judged_once_under_the_same_policies() -> None:
    bench = Bench(for_each, cache=DictCache())
    first = await bench.findings()
    second = await again(bench)
    assert bench.asked == [ASKED]
    assert [it.reading for it in second] == [it.reading for it in first]
    assert {it.stages for it in second} == {("cache",)}


@pytest.mark.parametrize(
    "others",
    [
        (SPAM, HATE),
        (SPAM, HATE, policy(version="00000000000000cc")),
        (SPAM, HATE, policy(effort="high")),
        (*THREE, policy(id="fraud")),
    ],
)
async def test_an_answer_beside_other_policies_is_not_repeated(others: tuple[Policy, ...]) -> None:
    bench = Bench(for_each, cache=DictCache())
    await bench.findings()
    findings = await again(bench, *others)
    assert len(bench.asked) == 2
    assert {it.stages[0] for it in findings} == {"combined"}


@pytest.mark.parametrize("first", [True, False])
async def test_an_answer_beside_others_and_one_alone_are_not_taken_for_each_other(
    first: bool,
) -> None:
    cache = DictCache()
    await Bench(for_each, cache=cache, shared=first).findings()
    bench = Bench(for_each, cache=cache, shared=not first)
    findings = await again(bench)
    assert sum(map(len, bench.asked)) == 3
    assert all("cache" not in it.stages for it in findings)


async def test_where_one_of_the_answers_is_not_known_any_more_all_are_asked_for() -> None:
    cache = DictCache()
    bench = Bench(for_each, cache=cache)
    await bench.findings()
    cache.kept.popitem()
    findings = await again(bench)
    assert bench.asked == [ASKED, ASKED]
    assert {it.stages for it in findings} == {("combined", "medium")}


async def test_the_cache_knows_a_trial_by_itself() -> None:
    bench = Bench(for_each, cache=DictCache())
    await bench.findings(*THREE, SHADOW)
    findings = await again(bench, *THREE, SHADOW)
    assert len(bench.asked) == 2
    assert {it.stages for it in findings} == {("cache",)}


async def test_a_repeated_answer_is_calibrated_as_it_was() -> None:
    close = answered(False, score=0.5)
    bench = Bench(
        in_turn(together(CLEAN, CLEAN, close), answered(True, "H1", score=0.4)),
        scores=Doubled(),
        cache=DictCache(),
    )
    first = await bench.findings()
    second = await again(bench)
    told = [[(it.score, it.score_calibrated) for it in findings] for findings in (first, second)]
    assert told[0] == told[1]
    assert {it.stages for it in second} == {("cache",)}


async def test_one_by_one_answers_are_known_again_to_the_same_policies() -> None:
    long = Judgement(JudgementStatus.CONTENT_TOO_LONG)
    bench = Bench(lambda request: long if request.also else CLEAN, cache=DictCache())
    await bench.findings()
    findings = await again(bench)
    assert len(bench.asked) == 4
    assert {it.stages for it in findings} == {("cache",)}


async def test_without_compute_what_is_known_is_told_and_the_rest_is_shed() -> None:
    bench = Bench(for_each, cache=DictCache())
    await bench.findings()
    bench.steps.at = Step.SHED
    assert {it.stages for it in await again(bench)} == {("cache",)}
    findings = await again(bench, SPAM, HATE)
    assert {it.reading.reason for it in findings} == {Reason.SHED_COMPUTE_BUDGET}
