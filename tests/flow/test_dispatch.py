"""Dispatch: so many at a time, the most urgent first; nothing goes on that was not judged."""

import asyncio
from time import monotonic
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.flow.hall import CLEAN, Hall, held, turns
from tests.flow.judges import Answer, HeldJudge, ScriptedJudge
from tests.samples import admission, answered, input_record, policy

from afterguard.contracts.errors import EngineDead
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.ledger import Ledger, Stage
from afterguard.flow.admit import Admission
from afterguard.flow.ports import JudgeRequest
from afterguard.policy.prompt import content_for


async def test_an_event_is_judged_decided_and_handed_on() -> None:
    hall = Hall(ScriptedJudge(answered(True, "H2")))
    async with hall.open():
        offered = hall.offer(0)
        await turns()
    (decision,) = hall.collected.decisions
    assert (decision.admission, decision.audit[0].outcome) == (offered, Outcome.VIOLATION)
    assert offered.entry.stage is Stage.JUDGED


async def test_no_more_than_the_limit_are_at_the_judge() -> None:
    hall = held(limit=2)
    async with hall.open():
        for offset in range(5):
            hall.offer(offset)
        await turns()
        assert (hall.asked, hall.dispatch.running, hall.dispatch.waiting) == ([0, 1], 2, 3)
        hall.let(1)
        await turns()
        assert (hall.asked, hall.dispatch.running, hall.dispatch.waiting) == ([0, 1, 2], 2, 2)


async def test_the_most_urgent_of_those_who_wait_goes_next() -> None:
    hall = held(limit=1)
    async with hall.open():
        for offset, deadline in enumerate([90.0, 30.0, 10.0, 20.0]):
            hall.offer(offset, deadline=monotonic() + deadline)
        hall.let(0, 1, 2, 3)
        await turns(30)
    assert hall.asked == [0, 2, 3, 1]
    priorities = [it.priority for it in hall.judge.requests]
    assert priorities == sorted(priorities), "the engine would serve them in another order"


async def test_what_comes_before_the_start_is_served_at_the_start() -> None:
    hall = Hall(ScriptedJudge(CLEAN))
    for offset in range(5):
        hall.offer(offset)
    async with hall.open():
        await turns(30)
    assert sorted(hall.collected.offsets) == [0, 1, 2, 3, 4]


async def test_what_waits_is_shown() -> None:
    hall = held(limit=1)
    async with hall.open():
        for offset in range(3):
            hall.offer(offset)
        assert hall.metrics.registry.get_sample_value("afterguard_waiting_events") == 2


@pytest.mark.parametrize("skip", [Reason.NO_POLICY_APPLIES, Reason.EMPTY_CONTENT])
async def test_what_nobody_judges_does_not_wait_behind_what_is_judged(skip: Reason) -> None:
    hall = held(limit=1)
    async with hall.open():
        hall.offer(0)
        hall.offer(1, skip=skip)
        (decision,) = hall.collected.decisions
        assert (decision.audit[0].outcome, decision.audit[0].reason) == (Outcome.SKIPPED, skip)


async def test_withdrawing_ends_the_requests_of_a_partition_that_went() -> None:
    hall = held(limit=2)
    async with hall.open():
        for offset in range(4):
            hall.offer(offset)
        await turns()
        hall.ledger.close()
        assert hall.dispatch.withdraw() == 2
        await turns()
        assert (hall.dispatch.running, hall.dispatch.waiting) == (0, 0)
    assert hall.asked == [0, 1]
    assert hall.collected.decisions == []


async def test_withdrawing_leaves_the_events_of_other_partitions_alone() -> None:
    hall = held(limit=2)
    async with hall.open():
        hall.offer(0)
        kept = admission(record=input_record(offset=77))
        hall.dispatch.offer(kept)
        await turns()
        hall.ledger.close()
        assert hall.dispatch.withdraw() == 1
        hall.let(77)
        await turns()
        assert hall.collected.offsets == [77]


async def test_an_event_withdrawn_before_its_first_step_gives_its_place_back() -> None:
    hall = held(limit=1)
    async with hall.open():
        hall.offer(0)
        hall.ledger.close()
        hall.dispatch.withdraw()
        await turns()
        assert hall.dispatch.running == 0
        hall.dispatch.offer(admission(record=input_record(offset=5)))
        hall.let(5)
        await turns()
        assert hall.collected.offsets == [5]


async def test_a_judgement_that_comes_after_the_partition_went_is_dropped() -> None:
    hall = held()
    async with hall.open():
        hall.offer(0)
        await turns()
        hall.ledger.close()
        hall.let(0)
        await turns()
    assert hall.collected.decisions == []


async def test_closing_ends_what_runs_and_settles_nothing() -> None:
    hall = held(limit=1)
    async with hall.open():
        running, waiting = hall.offer(0), hall.offer(1)
        await turns()
    assert isinstance(hall.judge, HeldJudge)
    assert hall.judge.ended == ["chat.events/0/0/harassment"]
    assert (running.entry.stage, waiting.entry.stage) == (Stage.ADMITTED, Stage.ADMITTED)
    assert hall.collected.decisions == []


@pytest.mark.parametrize("policies", [(policy(),), (policy(), policy(id="spam"))])
async def test_a_dead_engine_ends_the_run_and_settles_nothing(policies: tuple[Any, ...]) -> None:
    def script(asked: JudgeRequest) -> Answer:
        return EngineDead("gone")

    hall = held(script, limit=2)
    serving = asyncio.create_task(hall.dispatch.run())
    await turns()
    offered = [hall.offer(offset, policies=policies) for offset in range(6)]
    await turns()
    hall.let(0)

    with pytest.raises(ExceptionGroup) as raised:
        await serving

    assert raised.value.subgroup(lambda error: not _is_death(error)) is None
    assert hall.asked[-1] <= 1, "a dead engine was asked again"
    assert {it.entry.stage for it in offered} == {Stage.ADMITTED}
    assert hall.collected.decisions == []


async def test_a_run_that_is_cancelled_starts_nothing_more() -> None:
    hall = held(limit=1)
    serving = asyncio.create_task(hall.dispatch.run())
    await turns()
    for offset in range(4):
        hall.offer(offset)
    await turns()
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await turns()
    assert hall.asked == [0]


@pytest.mark.usefixtures("expected_errors")
async def test_an_event_that_cannot_even_be_read_fails_alone() -> None:
    def render(event: ChatEvent) -> str:
        if event.event_id == "odd":
            raise IndexError("said")
        return content_for(event)

    hall = Hall(ScriptedJudge(CLEAN), render=render)
    async with hall.open():
        hall.offer(0, event=_event("odd"))
        hall.offer(1, event=_event("plain"))
        await turns()
    outcomes = {it.admission.event.event_id: it.audit[0] for it in hall.collected.decisions}
    assert (outcomes["odd"].outcome, outcomes["odd"].reason) == (
        Outcome.FAILED,
        Reason.INTERNAL_FAULT,
    )
    assert outcomes["plain"].outcome is Outcome.NO_VIOLATION


@pytest.mark.usefixtures("expected_errors")
async def test_a_verdict_that_cannot_be_written_down_fails_and_is_not_lost() -> None:
    hall = Hall(ScriptedJudge(answered(True, "H1")._replace(prompt_tokens=-1)))
    async with hall.open():
        hall.offer(0)
        await turns()
    (decision,) = hall.collected.decisions
    assert decision.audit[0].reason is Reason.INTERNAL_FAULT
    assert decision.failed is not None


@given(
    st.lists(st.sampled_from(["offer", "let", "revoke", "turn"]), max_size=60),
    st.integers(1, 4),
    st.data(),
)
def test_through_any_life_no_place_is_lost_and_every_live_event_is_decided_once(
    steps: list[str], limit: int, data: st.DataObject
) -> None:
    asyncio.run(_life(steps, limit, data))


async def _life(steps: list[str], limit: int, data: st.DataObject) -> None:
    hall = held(limit=limit)
    offered: list[Admission] = []
    async with hall.open():
        for step in steps:
            if step == "offer":
                offered.append(hall.offer(len(offered), place=data.draw(st.floats(0, 9))))
            elif step == "let" and offered:
                hall.let(data.draw(st.integers(0, len(offered) - 1)))
            elif step == "revoke":
                hall.ledger.close()
                hall.dispatch.withdraw()
                hall.ledger = Ledger(release=lambda _: None)
            else:
                await turns()
            assert hall.dispatch.running <= limit
        hall.let(*range(len(offered)))
        await turns(20 + 5 * len(offered))
        assert (hall.dispatch.running, hall.dispatch.waiting) == (0, 0)
    decided = hall.collected.offsets
    assert len(decided) == len(set(decided))
    assert {number for number, it in enumerate(offered) if it.entry.live} <= set(decided)


def _is_death(error: BaseException) -> bool:
    return isinstance(error, EngineDead | BaseExceptionGroup)


def _event(event_id: str) -> ChatEvent:
    return admission().event.model_copy(update={"event_id": event_id})
