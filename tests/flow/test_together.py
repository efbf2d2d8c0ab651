"""Together: one request for the policies of an event, and for each of them its own finding."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.judges import Answer, ScriptedJudge, in_turn
from tests.flow.prompts import (
    ASKED,
    CLEAN,
    HARASSMENT,
    HATE,
    SHADOW,
    SLUR,
    SPAM,
    THREE,
    Bench,
    Doubled,
    for_each,
    together,
)
from tests.samples import answered, policy

from afterguard.contracts.errors import EngineDead, EngineFault, RequestRefused
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.asking import Asking
from afterguard.flow.effort import Step
from afterguard.flow.ports import Judgement, JudgementStatus
from afterguard.flow.shadows import Shadows
from afterguard.flow.together import Together
from afterguard.telemetry.metrics import Metrics


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
