"""Intake: as many records as the budget allows, and every record has a fate."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import orjson
import pytest
from tests.samples import NOON, event_fields
from tests.stream.faulty import HeldProducer

from afterguard.contracts.codec import decode_event
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.errors import RejectReason
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.policies import Policy
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.delivery.budget import TokenBudget
from afterguard.flow.admit import Admission, Admit
from afterguard.flow.settings import JudgingSettings
from afterguard.stream.assignments import Assignments
from afterguard.stream.intake import Intake
from afterguard.stream.memory import MemoryConsumer, MemoryLog, MemoryProducer
from afterguard.stream.outputs import Outputs
from afterguard.stream.parcels import Parcels
from afterguard.stream.ports import Partition
from afterguard.stream.publish import Publish
from afterguard.stream.rebalance import Rebalance
from afterguard.stream.settings import IntakeSettings, TopicSettings
from afterguard.stream.settle import Settle
from afterguard.telemetry.metrics import Metrics

TOPICS = TopicSettings()
ONE = Partition(TOPICS.events, 0)
MAX_BYTES = 2_000


class NoPolicies:
    """Nothing applies; intake does not care."""

    confirmed = True

    def applicable(self, event: ChatEvent) -> tuple[tuple[Policy, ...], tuple[str, ...]]:
        return (), ()


class CountedTakes(MemoryConsumer):
    """A log in memory that counts how often it was asked, paused or not."""

    takes = 0

    async def take(self, max_records: int, timeout_s: float) -> list[InputRecord]:
        self.takes += 1
        return list(await super().take(max_records, timeout_s))


class Room:
    """Intake over a log in memory; the flow is the test's own list."""

    def __init__(self, *, tokens: int = 100, events: int = 100, each: int = 10) -> None:
        self.log = MemoryLog(dict.fromkeys(TOPICS.model_dump().values(), 1))
        self.consumer = CountedTakes(self.log, TOPICS.events, "g")
        self.budget = TokenBudget(tokens, events, 0.5)
        self.assignments = Assignments(self.budget.release)
        self.metrics = Metrics()
        self.offered: list[Admission] = []
        self.odd: bytes | None = b"odd"
        outputs = Outputs(TOPICS, source="/t", max_record_bytes=900_000, now=lambda: NOON)
        self.publish = Publish(MemoryProducer(self.log), Parcels(outputs, self.metrics))
        self.intake = Intake(
            self.consumer,
            self.assignments,
            decode=self._decode,
            estimate=lambda _: each,
            admit=Admit(NoPolicies(), JudgingSettings(), max_clock_skew_s=60),
            offer=self.offered.append,
            publish=self.publish,
            budget=self.budget,
            settings=IntakeSettings(max_poll_records=4),
            metrics=self.metrics,
        )
        self.settle = Settle(self.consumer, self.assignments, interval_s=0.5)
        self.rebalance = Rebalance(self.intake, self.settle, self, grace_s=0.0)

    def cast_off(self) -> int:
        """See `stream.rebalance.Travelling`: no work is in flight here."""
        return 0

    def land(self, partitions: Collection[tuple[str, int]]) -> int:
        """See `stream.rebalance.Travelling`."""
        return 0

    def _decode(self, record: InputRecord) -> ChatEvent:
        if record.value == self.odd:
            raise RecursionError("SECRET")
        return decode_event(record, max_bytes=MAX_BYTES)

    def write(self, *values: bytes | None) -> None:
        for value in values:
            self.log.append(OutputRecord(TOPICS.events, b"k", value))

    def write_events(self, count: int) -> None:
        self.write(*(event(event_id=f"e-{number}") for number in range(count)))

    def letters(self) -> list[DeadLetter]:
        records = self.log.records(TOPICS.dead_letters)
        return [DeadLetter.model_validate_json(it.value or b"") for it in records]

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                await asyncio.sleep(0.001)

    async def idle(self) -> None:
        """A few more polls have come and gone."""
        polls = self.consumer.takes + 3
        await self.until(lambda: self.consumer.takes >= polls)


def event(**changes: object) -> bytes:
    return orjson.dumps(event_fields(**changes))


@asynccontextmanager
async def running(room: Room) -> AsyncIterator[None]:
    await room.consumer.start(room.rebalance)
    tasks = [asyncio.create_task(room.intake.run()), asyncio.create_task(room.publish.run())]
    try:
        yield
        for task in tasks:
            assert not task.done(), task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_events_are_admitted_in_offset_order_with_their_tokens() -> None:
    room = Room()
    room.write_events(9)
    async with running(room):
        await room.until(lambda: len(room.offered) == 9)
    assert [it.event.event_id for it in room.offered] == [f"e-{number}" for number in range(9)]
    assert [it.entry.offset for it in room.offered] == list(range(9))
    assert room.budget.statistics().tokens == 90


async def test_above_the_token_budget_intake_pauses_and_goes_on_polling() -> None:
    room = Room(tokens=50)
    room.write_events(40)
    async with running(room):
        await room.until(lambda: room.intake.paused)
        held = len(room.offered)
        await room.idle()
        assert len(room.offered) == held
        # One batch may go over, as what was fetched must be held somewhere.
        assert 5 <= held <= 5 + 4


async def test_intake_resumes_at_the_lower_mark_and_not_before() -> None:
    room = Room(tokens=80)
    room.write_events(40)
    async with running(room):
        await room.until(lambda: room.intake.paused)
        held = len(room.offered)
        room.offered[0].entry.settle()
        await room.idle()
        assert len(room.offered) == held, "one settled event must not toggle the consumer"
        for admission in room.offered[1:5]:
            admission.entry.settle()
        await room.until(lambda: len(room.offered) > held)


async def test_no_more_events_are_taken_than_may_be_in_flight() -> None:
    room = Room(events=6)
    room.write_events(40)
    async with running(room):
        await room.until(lambda: room.intake.paused)
        await room.idle()
        assert len(room.offered) == 6


async def test_everything_comes_through_a_small_budget() -> None:
    room = Room(tokens=30, events=3)
    room.write_events(50)
    async with running(room):
        for number in range(50):
            await room.until(lambda number=number: len(room.offered) > number)  # type: ignore[misc]
            room.offered[number].entry.settle()
    assert room.assignments.fates == (50, 50, 0, 0)
    assert room.assignments.uncommitted() == {ONE: 50}


async def test_one_event_larger_than_the_whole_budget_is_still_taken() -> None:
    room = Room(tokens=5, each=1_000)
    room.write_events(2)
    async with running(room):
        await room.until(lambda: len(room.offered) >= 1)
        for admission in list(room.offered):
            admission.entry.settle()
        await room.until(lambda: len(room.offered) == 2)


async def test_a_rebalance_takes_nothing_in_and_goes_on_at_the_commit() -> None:
    room = Room()
    room.write_events(4)
    async with running(room):
        await room.until(lambda: len(room.offered) == 4)
        room.offered[0].entry.settle()
        await room.consumer.rebalance()
        await room.until(lambda: len(room.offered) == 7)
    assert [it.entry.offset for it in room.offered] == [0, 1, 2, 3, 1, 2, 3]
    assert room.budget.statistics().tokens == 30
    assert room.assignments.fates == (7, 1, 3, 3)


async def test_a_budget_that_is_spent_stays_spent_over_a_rebalance() -> None:
    room = Room(tokens=20)
    room.write_events(20)
    async with running(room):
        await room.until(lambda: room.intake.paused)
        await room.consumer.rebalance()
        await room.idle()
        assert room.intake.paused
        assert room.budget.statistics().tokens == 10 * room.assignments.in_flight()


async def test_after_close_nothing_is_taken_in_and_polling_goes_on() -> None:
    room = Room()
    async with running(room):
        room.intake.close()
        room.write_events(5)
        await room.idle()
        assert not room.offered
        await room.consumer.rebalance()
        await room.idle()
        assert not room.offered, "an assignment during the drain opens nothing"


REJECTS: dict[RejectReason, bytes | None] = {
    RejectReason.TOMBSTONE: None,
    RejectReason.NOT_UTF8: b'{"content": "\xff"}',
    RejectReason.NOT_JSON: b"{",
    RejectReason.INVALID_EVENT: b"[]",
    RejectReason.TOO_LARGE: b"x" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("reason", REJECTS)
async def test_what_is_no_event_is_kept_and_its_offset_moves(reason: RejectReason) -> None:
    room = Room()
    room.write(REJECTS[reason], event())
    async with running(room):
        await room.until(lambda: room.assignments.uncommitted() == {ONE: 1})
        assert [it.event.event_id for it in room.offered] == ["e-1"]
    assert [(it.reason, it.value) for it in room.letters()] == [(reason.value, REJECTS[reason])]
    assert room.metrics.rejected[reason]._value.get() == 1


async def test_a_fault_nobody_foresaw_is_kept_as_unreadable(expected_errors: list[str]) -> None:
    room = Room()
    room.write(b"odd", event())
    async with running(room):
        await room.until(lambda: bool(room.offered) and bool(room.letters()))
    letter = room.letters()[0]
    assert (letter.reason, letter.detail, letter.value) == ("unreadable", "RecursionError", b"odd")


async def test_a_flood_of_rejects_pauses_intake_like_any_other_work() -> None:
    room = Room(events=5)
    held = HeldProducer()
    room.publish._producer = held
    room.write(*[b"{"] * 50)
    async with running(room):
        await room.until(lambda: room.intake.paused)
        await room.idle()
        assert room.assignments.in_flight() == 5
        await held.acknowledge()
        await room.until(lambda: len(held.sent) > 5)


async def test_unknown_fields_are_accepted_and_counted() -> None:
    room = Room()
    room.write(event(colour="red", size=3), event())
    async with running(room):
        await room.until(lambda: len(room.offered) == 2)
    assert room.metrics.unknown_fields._value.get() == 2
