"""Overload: what waits too long is given up in time, with a record of each, and is never safe."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.flow.hall import Hall, held, turns
from tests.samples import policy

from afterguard.contracts.verdicts import AuditRecord
from afterguard.contracts.words import Action, Lane, Outcome, Reason
from afterguard.flow.lanes import Lanes, lane_place
from afterguard.flow.shedding import NO_SHEDDING, Shedding

AGEING_S = 30.0


def shedding(above: int = 2, **after_s: float | None) -> Shedding:
    ages = {Lane(lane): age for lane, age in after_s.items()}
    return Shedding(ages, above=above, ageing_s=AGEING_S)


async def full(hall: Hall, *waiting: dict[str, Any]) -> None:
    """One event that the judge never answers, and those that wait behind it."""
    hall.offer(0)
    await turns()
    for offset, changes in enumerate(waiting, start=1):
        lane = changes.pop("lane", Lane.STANDARD)
        received = changes.pop("received", 0.0)
        place = lane_place(lane, received, AGEING_S)
        hall.offer(offset, lane=lane, received=received, place=place, **changes)


def verdicts(hall: Hall) -> dict[int, AuditRecord]:
    return {it.audit[0].offset: it.audit[0] for it in hall.collected.decisions}


async def test_a_full_engine_does_not_hold_what_expires_while_it_waits() -> None:
    hall = held(limit=1)
    async with hall.open():
        await full(hall, {"deadline": 5.0}, {"deadline": 50.0}, {"deadline": None})
        hall.now = 5.0
        hall.dispatch.sweep()
        (expired,) = verdicts(hall).values()
        assert (hall.dispatch.running, hall.dispatch.waiting) == (1, 2)
    assert (expired.offset, expired.outcome, expired.reason) == (
        1,
        Outcome.EXPIRED,
        Reason.DEADLINE_PASSED,
    )
    assert (expired.stages, expired.attempts, expired.timings.queued_ms) == ((), 0, 5_000)


async def test_there_is_a_verdict_for_each_policy_of_what_expired() -> None:
    hall = held(limit=1)
    policies = (policy(), policy(id="spam"))
    async with hall.open():
        await full(hall, {"deadline": 5.0, "policies": policies})
        hall.now = 9.0
        hall.dispatch.sweep()
    (decision,) = hall.collected.decisions
    assert [it.policy_id for it in decision.audit] == ["harassment", "spam"]


async def test_what_expired_after_its_partition_went_is_left_to_the_next_owner() -> None:
    hall = held(limit=1)
    async with hall.open():
        await full(hall, {"deadline": 5.0})
        hall.revoke()
        hall.now = 9.0
        hall.dispatch.sweep()
    assert hall.collected.decisions == []


async def test_a_flood_of_expired_events_is_settled_in_portions_until_none_is_left() -> None:
    hall = held(limit=1)
    async with hall.open():
        await full(hall, *({"deadline": 5.0} for _ in range(450)))
        hall.now = 9.0
        assert [hall.dispatch.sweep() for _ in range(3)] == [200, 200, 50]
    assert len(hall.collected.decisions) == 450


async def test_an_old_backlog_is_shed_and_every_event_of_it_is_on_record() -> None:
    hall = held(limit=1, shedding=shedding(above=2, backfill=10.0))
    async with hall.open():
        old = [{"lane": Lane.BACKFILL} for _ in range(4)]
        await full(hall, *old, {"lane": Lane.BACKFILL, "received": 9.0}, {"lane": Lane.LIVE})
        hall.now = 11.0
        hall.dispatch.sweep()
        assert hall.dispatch.waiting == 2
    shed = verdicts(hall)
    assert sorted(shed) == [1, 2, 3, 4]
    assert {(it.outcome, it.reason) for it in shed.values()} == {
        (Outcome.EXPIRED, Reason.SHED_OVERLOAD)
    }
    assert {it.action for it in shed.values()} == {Action.ESCALATE}
    counted = {"reason": "shed_overload", "lane": "backfill"}
    registry = hall.metrics.registry
    assert registry.get_sample_value("afterguard_unasked_events_total", counted) == 4


async def test_nothing_is_shed_while_few_wait() -> None:
    hall = held(limit=1, shedding=shedding(above=2, backfill=10.0))
    async with hall.open():
        await full(hall, *({"lane": Lane.BACKFILL} for _ in range(2)))
        hall.now = 1e6
        assert hall.dispatch.sweep() == 0


@given(
    st.lists(st.tuples(st.sampled_from(Lane), st.floats(0, 100)), max_size=40),
    st.dictionaries(st.sampled_from(Lane), st.none() | st.floats(0.1, 100)),
    st.integers(0, 10),
    st.integers(0, 20),
)
def test_only_the_old_go_and_the_less_urgent_before_the_more_urgent(
    waiting: list[tuple[Lane, float]], ages: dict[Lane, float | None], above: int, most: int
) -> None:
    now = 100.0
    lanes: Lanes[tuple[Lane, float]] = Lanes()
    for lane, came in sorted(waiting, key=lambda it: it[1]):
        lanes.push((lane, came), lane, lane_place(lane, came, AGEING_S), None)
    shed = Shedding(ages, above=above, ageing_s=AGEING_S).victims(lanes, now, most)
    old = [
        (lane, came)
        for lane, came in waiting
        if (age := ages.get(lane)) is not None
        and lane_place(lane, came, AGEING_S) < lane_place(lane, now - age, AGEING_S)
    ]
    old.sort(key=lambda it: (-list(Lane).index(it[0]), it[1]))
    assert shed == old[: max(0, min(most, len(waiting) - above))]
    assert len(lanes) == len(waiting) - len(shed)


def test_nothing_is_shed_unless_it_was_asked_for() -> None:
    lanes: Lanes[int] = Lanes()
    for number in range(9):
        lanes.push(number, Lane.BACKFILL, 0.0, None)
    assert NO_SHEDDING.victims(lanes, 1e9, 9) == []
