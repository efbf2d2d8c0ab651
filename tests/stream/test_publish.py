"""Publish: an event is settled when the log has every record about it, and never before."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import NOON, admission, answered, input_record, policy
from tests.stream.decisions import DECIDE, decision, failed
from tests.stream.faulty import HeldProducer

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.errors import PublishFailed, RejectedInput, RejectReason
from afterguard.contracts.interventions import Intervention
from afterguard.delivery.ledger import Entry, Ledger, Stage
from afterguard.delivery.order import KeyOrder
from afterguard.flow.decide import Decision
from afterguard.flow.findings import Finding, read
from afterguard.stream.outputs import Outputs
from afterguard.stream.parcels import Parcels
from afterguard.stream.publish import Publish
from afterguard.stream.settings import TopicSettings
from afterguard.telemetry.metrics import Metrics

TOPICS = TopicSettings()
AUDIT, ACTIONS, LETTERS = TOPICS.audit, TOPICS.interventions, TOPICS.dead_letters


class Seen:
    """Remembers what was marked as published."""

    away = False

    def __init__(self) -> None:
        self.marked: list[str] = []

    async def first_seen(self, keys: Sequence[str]) -> list[Coordinates | None]:
        return [None for _ in keys]

    def mark(self, key: str, origin: Coordinates) -> None:
        self.marked.append(key)


class Room:
    """The publisher with a producer in the test's hands."""

    def __init__(self) -> None:
        self.producer, self.metrics, self.seen = HeldProducer(), Metrics(), Seen()
        self.outputs = Outputs(TOPICS, source="/t", max_record_bytes=900_000, now=lambda: NOON)
        self.publish = Publish(self.producer, Parcels(self.outputs, self.metrics, seen=self.seen))
        self.ledger = Ledger(lambda _: None)
        self.order: KeyOrder[object] = KeyOrder()
        self._next = 0

    def entry(self, stage: Stage = Stage.JUDGED) -> Entry:
        entry = self.ledger.admit(self._next, 1, 0.0)
        self._next += 1
        if stage is not Stage.ADMITTED:
            entry.advance(stage)
        return entry

    def decision(self, conversation: str = "c-1", **changes: object) -> Decision:
        entry = self.entry()
        return decision(
            entry=entry,
            offset=entry.offset,
            ticket=self.order.enter(conversation),
            event={"conversation_id": conversation, "event_id": f"e-{entry.offset}"},
            **changes,  # type: ignore[arg-type]
        )

    def position(self) -> int | None:
        return self.ledger.position

    async def sent(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.producer.sent) < count:
                await asyncio.sleep(0)

    def acted(self) -> list[str]:
        """Event ids of the interventions, in the order they left."""
        return [
            Intervention.model_validate_json(record.value or b"").event_id
            for record, _ in self.producer.sent
            if record.topic == ACTIONS
        ]


@asynccontextmanager
async def running(room: Room) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(room.publish.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_event_is_settled_only_with_its_last_acknowledgement() -> None:
    room = Room()
    async with running(room):
        room.publish.publish(room.decision(policies=2))
        await room.sent(3)
        assert sorted(room.producer.topics) == sorted([AUDIT, AUDIT, ACTIONS])
        for number in range(3):
            assert room.ledger.position is None
            await room.producer.acknowledge(number)
        assert room.ledger.position == 1


async def test_a_refused_record_ends_the_run_with_its_event_unsettled() -> None:
    room = Room()
    async with running(room) as run:
        room.publish.publish(room.decision())
        room.publish.publish(room.decision())
        await room.sent(4)
        await room.producer.refuse(0)
        await room.producer.acknowledge(1, 2, 3)
        with pytest.raises(PublishFailed, match="StreamUnavailable"):
            await run
    assert room.ledger.position is None
    assert room.ledger.fates.in_flight == 1


async def test_after_a_refusal_nothing_more_is_sent() -> None:
    room = Room()
    async with running(room) as run:
        room.publish.publish(room.decision(violation=False))
        await room.sent(1)
        await room.producer.refuse(0)
        for _ in range(5):
            room.publish.publish(room.decision(violation=False))
        with pytest.raises(PublishFailed):
            await run
    assert len(room.producer.sent) == 1


async def test_a_send_that_was_cancelled_counts_as_refused() -> None:
    room = Room()
    async with running(room) as run:
        room.publish.publish(room.decision(violation=False))
        await room.sent(1)
        room.producer.sent[0][1].cancel()
        with pytest.raises(PublishFailed):
            await run
    assert room.ledger.position is None


async def test_interventions_of_one_conversation_leave_in_event_order() -> None:
    room = Room()
    async with running(room):
        first, second, third = (room.decision("c-1") for _ in range(3))
        other = room.decision("c-2")
        room.publish.publish(third)
        room.publish.publish(other)
        room.publish.publish(second)
        await room.sent(4)
        assert room.acted() == ["e-3"], "only the other conversation may go ahead"
        room.publish.publish(first)
        await room.sent(8)
    assert room.acted() == ["e-3", "e-0", "e-1", "e-2"]


async def test_an_event_with_nothing_to_say_lets_the_next_one_go() -> None:
    room = Room()
    async with running(room):
        first, second = room.decision(violation=False), room.decision()
        room.publish.publish(second)
        await room.sent(1)
        room.publish.publish(first)
        await room.sent(3)
    assert room.acted() == ["e-1"]


async def test_what_belongs_to_a_partition_that_went_is_not_sent() -> None:
    room = Room()
    late = room.decision()
    room.ledger.close()
    room.publish.publish(late)
    room.publish.close()
    await room.publish.run()
    assert not room.producer.sent


async def test_a_late_acknowledgement_moves_nothing_and_is_not_counted_as_published() -> None:
    room = Room()
    async with running(room):
        room.publish.publish(room.decision(violation=False, seen_key="k"))
        await room.sent(1)
        room.ledger.close()
        await room.producer.acknowledge()
    assert room.ledger.position is None
    assert room.ledger.fates == (1, 0, 0, 1)
    assert not room.seen.marked


async def test_an_event_is_remembered_once_it_is_published() -> None:
    room = Room()
    async with running(room):
        room.publish.publish(room.decision(violation=False, seen_key="k"))
        await room.sent(1)
        assert not room.seen.marked
        await room.producer.acknowledge()
    assert room.seen.marked == ["k"]


async def test_a_rejected_record_goes_to_the_dead_letters_and_its_offset_moves() -> None:
    room = Room()
    async with running(room):
        rejected = RejectedInput(RejectReason.NOT_JSON, "3 bytes")
        entry = room.entry(Stage.ADMITTED)
        room.publish.reject(input_record(b"\xff{", offset=0), entry, rejected)
        await room.sent(1)
        assert room.position() is None
        await room.producer.acknowledge()
    assert room.position() == 1
    letter = DeadLetter.model_validate_json(room.producer.sent[0][0].value or b"")
    assert (letter.reason, letter.value, letter.outcome) == ("not_json", b"\xff{", "rejected")


async def test_a_large_rejected_record_is_settled_with_its_last_part() -> None:
    room = Room()
    async with running(room):
        rejected = RejectedInput(RejectReason.TOO_LARGE, "2000000 bytes")
        record = input_record(b"x" * 2_000_000, offset=0)
        room.publish.reject(record, room.entry(Stage.ADMITTED), rejected)
        await room.sent(3)
        await room.producer.acknowledge(0, 2)
        assert room.position() is None
        await room.producer.acknowledge(1)
    assert room.position() == 1


async def test_an_event_that_was_given_up_is_audited_and_kept_as_a_dead_letter() -> None:
    room = Room()
    async with running(room):
        room.publish.publish(failed(entry=room.entry(), ticket=room.order.enter("c-1")))
        await room.sent(3)
    assert sorted(room.producer.topics) == sorted([AUDIT, ACTIONS, LETTERS])
    record = next(record for record, _ in room.producer.sent if record.topic == LETTERS)
    letter = DeadLetter.model_validate_json(record.value or b"")
    assert (letter.reason, letter.attempts, letter.event_id) == ("retries_exhausted", 4, "e-1")


async def test_a_decision_that_cannot_be_written_becomes_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch, expected_errors: list[str]
) -> None:
    room = Room()
    monkeypatch.setattr(room.outputs, "audit", lambda _: 1 // 0)
    async with running(room):
        room.publish.publish(room.decision())
        await room.sent(1)
        await room.producer.acknowledge()
    assert room.producer.topics == [LETTERS]
    assert room.ledger.position == 1
    assert not room.order.keys, "its conversation goes on"


@settings(max_examples=60, deadline=None)
@given(data=st.data())
async def test_whatever_the_order_of_completions_the_promises_hold(data: st.DataObject) -> None:
    room = Room()
    count = data.draw(st.integers(1, 8))
    conversations = data.draw(st.lists(st.sampled_from("abc"), min_size=count, max_size=count))
    violations = data.draw(st.lists(st.booleans(), min_size=count, max_size=count))
    decisions = [
        room.decision(conversation, violation=violation)
        for conversation, violation in zip(conversations, violations, strict=True)
    ]
    async with running(room):
        for number in data.draw(st.permutations(range(count))):
            room.publish.publish(decisions[number])
        total = count + sum(violations)
        await room.sent(total)
        owed = [1 + violation for violation in violations]
        for number in data.draw(st.permutations(range(total))):
            record = room.producer.sent[number][0]
            subject = dict(record.headers)["ce_subject"] or b""
            await room.producer.acknowledge(number)
            owed[int(subject.decode().removeprefix("e-"))] -= 1
            settled = [not left for left in owed]
            prefix = settled.index(False) if False in settled else count
            assert (room.ledger.position or 0) == prefix
    order = [int(event.removeprefix("e-")) for event in room.acted()]
    for conversation in set(conversations):
        mine = [number for number in order if conversations[number] == conversation]
        assert mine == sorted(mine)
    assert room.ledger.fates == (count, count, 0, 0)


async def test_verdicts_on_trial_are_counted_apart_and_by_what_they_would_change() -> None:
    room = Room()
    in_force, on_trial = policy(), policy(stage="shadow", version="00000000000000bb")
    found = [
        Finding(read(judgement, it), it, judgement)
        for it, judgement in ((in_force, answered(False)), (on_trial, answered(True, "H2")))
    ]
    decided = DECIDE.decide(admission(policies=(in_force, on_trial)), found, NOON)
    Parcels(room.outputs, room.metrics).written(decided)

    def counted(name: str, **labels: str) -> float | None:
        labels["policy"] = "harassment"
        return room.metrics.registry.get_sample_value(f"afterguard_{name}", labels)

    assert counted("verdicts_total", outcome="no_violation", action="none") == 1
    assert counted("verdicts_total", outcome="violation", action="hide") is None
    assert counted("shadow_verdicts_total", outcome="violation") == 1
    assert counted("shadow_agreement_total", agreement="stricter") == 1
