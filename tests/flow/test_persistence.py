"""Persistence: a request is tried until it is answered or there is no point in trying."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.judges import Answer, HeldJudge, ScriptedJudge, in_turn
from tests.samples import answered, policy

from afterguard.contracts.errors import (
    AfterguardError,
    EngineBusy,
    EngineDead,
    EngineFault,
    EngineUnavailable,
    PublishFailed,
    RequestRefused,
    StateUnavailable,
)
from afterguard.contracts.words import Effort, Outcome, Reason
from afterguard.delivery.retry import RetrySchedule
from afterguard.flow.findings import Reading
from afterguard.flow.persistence import Persistence
from afterguard.flow.ports import Judge, Judgement, JudgementStatus, JudgeRequest
from afterguard.flow.trials import Trials
from afterguard.telemetry.metrics import Metrics

REQUEST = JudgeRequest("r-1", policy(), "content", Effort.LOW)
ANSWER = answered(False)
AT_ONCE = RetrySchedule(attempts=3, base_s=1, cap_s=1, random=lambda: 0.0)
EXPIRED = Reading(Outcome.EXPIRED, Reason.DEADLINE_PASSED)


class Asking:
    """A persistence on a clock that stands still unless the test moves it."""

    def __init__(self, judge: Judge, schedule: RetrySchedule = AT_ONCE) -> None:
        self.now = 100.0
        self.metrics = Metrics()
        self.persistence = Persistence(
            judge, schedule, self.metrics, Trials(self.metrics), lambda: self.now
        )

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"afterguard_{name}", labels) or 0.0


def scripted(*answers: Answer) -> ScriptedJudge:
    return ScriptedJudge(in_turn(*answers))


async def test_an_answer_ends_it_at_once() -> None:
    attempted = await Asking(scripted(ANSWER)).persistence.ask(REQUEST, None)
    assert (attempted.attempts, attempted.judgement, attempted.gave_up) == (1, ANSWER, None)


@pytest.mark.parametrize("status", JudgementStatus)
async def test_whatever_the_model_says_is_an_answer_and_is_not_asked_again(
    status: JudgementStatus,
) -> None:
    judge = ScriptedJudge(Judgement(status))
    await Asking(judge).persistence.ask(REQUEST, None)
    assert len(judge.requests) == 1


@pytest.mark.parametrize("fault", [EngineBusy("full"), EngineFault("odd"), StateUnavailable("x")])
async def test_a_retriable_fault_is_tried_again(fault: AfterguardError) -> None:
    asking = Asking(scripted(fault, fault, ANSWER))
    attempted = await asking.persistence.ask(REQUEST, deadline=200.0)
    assert (attempted.attempts, attempted.judgement) == (3, ANSWER)
    assert asking.counted("judge_retries_total") == 2


async def test_faults_are_counted_by_kind() -> None:
    asking = Asking(scripted(EngineBusy("full"), EngineFault("odd"), RequestRefused("no")))
    await asking.persistence.ask(REQUEST, None)
    kinds = ("busy", "fault", "refused")
    assert [asking.counted("judge_faults_total", result=kind) for kind in kinds] == [1, 1, 1]


async def test_a_request_that_the_engine_refuses_fails_without_a_second_try() -> None:
    attempted = await Asking(scripted(RequestRefused("no"))).persistence.ask(REQUEST, None)
    assert attempted.attempts == 1
    assert attempted.gave_up == Reading(Outcome.FAILED, Reason.REQUEST_REFUSED)


async def test_a_request_fails_when_its_tries_are_used_up() -> None:
    attempted = await Asking(ScriptedJudge(EngineFault("odd"))).persistence.ask(REQUEST, None)
    assert attempted.attempts == 3
    assert attempted.gave_up == Reading(Outcome.FAILED, Reason.RETRIES_EXHAUSTED)


async def test_a_full_queue_uses_up_no_tries() -> None:
    busy = [EngineBusy("full")] * 20
    attempted = await Asking(scripted(*busy, ANSWER)).persistence.ask(REQUEST, deadline=200.0)
    assert (attempted.attempts, attempted.judgement) == (21, ANSWER)


async def test_a_queue_that_stays_full_is_waited_for_until_the_deadline() -> None:
    asking = Asking(ScriptedJudge(lambda _: _passing(asking)))
    attempted = await asking.persistence.ask(REQUEST, deadline=104.0)
    assert (attempted.attempts, attempted.gave_up) == (4, EXPIRED)


async def test_without_a_deadline_a_full_queue_is_waited_for_within_a_bound() -> None:
    schedule = RetrySchedule(attempts=3, base_s=1, cap_s=1, full_s=7.0, random=lambda: 0.0)
    asking = Asking(ScriptedJudge(lambda _: _passing(asking)), schedule)
    attempted = await asking.persistence.ask(REQUEST, deadline=None)
    shed = Reading(Outcome.EXPIRED, Reason.SHED_OVERLOAD)
    assert (attempted.attempts, attempted.gave_up) == (7, shed)


def _passing(asking: Asking) -> EngineBusy:
    asking.now += 1
    return EngineBusy("full")


@pytest.mark.parametrize("past", [99.0, 100.0])
async def test_a_deadline_that_has_passed_costs_no_request(past: float) -> None:
    judge = ScriptedJudge(ANSWER)
    attempted = await Asking(judge).persistence.ask(REQUEST, past)
    assert (attempted.attempts, attempted.gave_up, judge.requests) == (0, EXPIRED, [])


async def test_a_wait_that_would_outlast_the_deadline_is_not_begun() -> None:
    schedule = RetrySchedule(attempts=9, base_s=50, cap_s=50, random=lambda: 0.9)
    asking = Asking(ScriptedJudge(EngineFault("odd")), schedule)
    attempted = await asking.persistence.ask(REQUEST, deadline=110.0)
    assert (attempted.attempts, attempted.gave_up) == (1, EXPIRED)


async def test_the_time_that_the_engine_took_is_no_longer_left_for_waiting() -> None:
    def slow(_: JudgeRequest) -> EngineFault:
        asking.now += 8
        return EngineFault("odd")

    schedule = RetrySchedule(attempts=9, base_s=5, cap_s=5, random=lambda: 0.9)
    asking = Asking(ScriptedJudge(slow), schedule)
    attempted = await asking.persistence.ask(REQUEST, deadline=110.0)
    assert (attempted.attempts, attempted.gave_up) == (1, EXPIRED)


async def test_a_deadline_that_passes_in_the_engine_ends_the_request_there() -> None:
    judge = HeldJudge(ANSWER)
    asking = Asking(judge)
    asked = asyncio.ensure_future(asking.persistence.ask(REQUEST, deadline=101.0))
    await asyncio.sleep(0)
    asking.now = 101.0
    attempted = await asked
    assert (attempted.attempts, attempted.gave_up) == (1, EXPIRED)
    assert judge.ended == ["r-1"]


@pytest.mark.parametrize("error", [EngineDead("gone"), EngineUnavailable("x"), PublishFailed("x")])
async def test_an_error_that_ends_the_worker_is_passed_on(error: AfterguardError) -> None:
    with pytest.raises(type(error)):
        await Asking(scripted(error)).persistence.ask(REQUEST, None)


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize("error", [RuntimeError("said"), KeyError("said"), TimeoutError("said")])
async def test_an_error_nobody_foresaw_fails_the_request_and_not_the_worker(
    error: Exception,
) -> None:
    asking = Asking(scripted(error))
    attempted = await asking.persistence.ask(REQUEST, deadline=200.0)
    assert attempted.gave_up == Reading(Outcome.FAILED, Reason.INTERNAL_FAULT)
    assert asking.counted("judge_faults_total", result="unforeseen") == 1


@pytest.mark.parametrize("deadline", [None, 200.0])
async def test_cancelling_reaches_the_engine_and_comes_back(deadline: float | None) -> None:
    judge = HeldJudge(ANSWER)
    asked = asyncio.ensure_future(Asking(judge).persistence.ask(REQUEST, deadline))
    await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert judge.ended == ["r-1"]


async def test_cancelling_ends_the_wait_between_two_tries() -> None:
    schedule = RetrySchedule(attempts=9, base_s=1_000, cap_s=1_000, random=lambda: 0.9)
    asking = Asking(ScriptedJudge(EngineFault("odd")), schedule)
    asked = asyncio.ensure_future(asking.persistence.ask(REQUEST, None))
    while not asking.counted("judge_retries_total"):
        await asyncio.sleep(0)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked


FAULTS: list[Callable[[], Answer]] = [
    lambda: EngineBusy("full"),
    lambda: EngineFault("odd"),
    lambda: RequestRefused("no"),
    lambda: ANSWER,
]


@given(st.lists(st.sampled_from(FAULTS), max_size=12))
def test_whatever_happens_a_request_ends_in_exactly_one_way(
    faults: list[Callable[[], Answer]],
) -> None:
    answers = [make() for make in faults]
    judge = scripted(*answers, RequestRefused("the last"))
    attempted = asyncio.run(Asking(judge).persistence.ask(REQUEST, None))
    assert (attempted.judgement is None) is (attempted.gave_up is not None)
    assert attempted.attempts == len(judge.requests)
    if attempted.judgement is not None:
        assert answers[attempted.attempts - 1] is ANSWER
