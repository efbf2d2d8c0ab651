"""Over any life of its partitions the worker's fates balance, and its budget returns to zero.

All rooms are real; the log is in the test's hands, and so is every answer of the engine.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.balance import assert_ended_in_balance
from tests.flow.judges import HeldJudge
from tests.memory_worker import MemoryWorker
from tests.samples import answered, event_fields, input_record
from tests.stream.faulty import FaultyCommits, HeldProducer

from afterguard.contracts.coordinates import Coordinates
from afterguard.delivery.ledger import Stage
from afterguard.health.why_report import Room
from afterguard.stream.ports import Partition

ALL = [Partition("chat.events", number) for number in range(3)]


class Life:
    """A worker, and the steps that a log and an engine may take."""

    def __init__(self) -> None:
        self.judge = HeldJudge(answered(True, "H1"))
        self.producer = HeldProducer()
        self.app = MemoryWorker(
            self.judge,
            producer=self.producer,
            consumer=FaultyCommits(True),
            intake={"max_concurrent_events": 3},
            delivery={"revoke_grace_s": 0},
        ).app
        self.next = dict.fromkeys(ALL, 0)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(it.run()) for it in (self.app.dispatch, self.app.publish)]
        try:
            yield
        finally:
            self.app.dispatch.close()
            self.app.publish.close()
            await asyncio.gather(*tasks)

    def take(self, partition: Partition, values: list[bytes]) -> None:
        records = []
        for value in values:
            where = Coordinates(*partition, self.next[partition])
            self.next[partition] += 1
            records.append(input_record(value, coordinates=where))
        self.app.intake._accept(records)

    async def rebalance(self, ours: list[Partition]) -> None:
        for it in self.app.assignments:
            self.next[it.partition] = it.ledger.position or it.committed or 0
        await self.app.rebalance.revoked([it.partition for it in self.app.assignments])
        self.app.rebalance.assigned(ours)
        for partition in ours:
            # What was committed before is not read again.
            assignment = self.app.assignments.get(partition)
            assert assignment is not None
            assignment.committed = self.next[partition]

    def assert_in_balance(self) -> None:
        budget, fates = self.app.budget.statistics(), self.app.assignments.fates
        open_entries = [
            entry
            for it in self.app.assignments
            for entry in it.ledger.held()
            if entry.stage is not Stage.SETTLED
        ]
        assert budget.tokens == sum(entry.tokens for entry in open_entries)
        assert budget.events == len(open_entries) == fates.in_flight
        assert fates.balanced, fates
        for it in self.app.why.report().partitions:
            assert sum(it.rooms.values()) == it.in_flight
            assert Room.NOWHERE not in it.rooms, it


async def turns() -> None:
    for _ in range(12):
        await asyncio.sleep(0)


def _value(number: int, conversation: str) -> bytes:
    if conversation == "z":
        return b"no event"
    return orjson.dumps(event_fields(event_id=f"e-{number}", conversation_id=conversation))


@settings(max_examples=20, deadline=None)
@given(data=st.data())
async def test_the_budget_is_free_after_any_sequence_of_revokes(
    data: st.DataObject,
) -> None:
    life = Life()
    async with life.open():
        await life.rebalance(ALL)
        for number in range(data.draw(st.integers(1, 14), "steps")):
            await _step(life, data, number)
            await turns()
            life.assert_in_balance()
        await life.rebalance([])
        assert_ended_in_balance(life.app)
        # Late answers and acknowledgements move nothing and free nothing twice.
        for request in life.judge.requests:
            life.judge.let(request.request_id)
        await turns()
        await life.producer.acknowledge()
        await turns()
        assert_ended_in_balance(life.app)


async def _step(life: Life, data: st.DataObject, number: int) -> None:
    match data.draw(st.sampled_from(("take", "take", "answer", "written", "rebalance")), "step"):
        case "take":
            ours = [it.partition for it in life.app.assignments]
            if ours:
                conversations = data.draw(st.lists(st.sampled_from("abz"), max_size=5))
                values = [_value(number, it) for it in conversations]
                life.take(data.draw(st.sampled_from(ours)), values)
        case "answer":
            for request in _some(data, life.judge.requests):
                life.judge.let(request.request_id)
        case "written":
            sent = range(len(life.producer.sent))
            if chosen := _some(data, list(sent)):
                await life.producer.acknowledge(*chosen)
        case _:
            await life.rebalance(data.draw(st.lists(st.sampled_from(ALL), unique=True)))


def _some(data: st.DataObject, items: list[Any]) -> list[Any]:
    chosen = data.draw(st.sets(st.integers(0, len(items) - 1), max_size=4)) if items else ()
    return [items[number] for number in sorted(chosen)]
