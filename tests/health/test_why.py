"""Why: the record that holds a commit back is found in whatever room it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.flow.judges import HeldJudge, ScriptedJudge
from tests.memory_worker import MemoryWorker, memory_log, until
from tests.samples import answered
from tests.stream.faulty import HeldProducer

from afterguard.app import build
from afterguard.contracts.errors import BadQuestion, EngineFault, StreamUnavailable
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.words import Lane
from afterguard.health.why_report import Oldest, PartitionReport, Room
from afterguard.stream.memory import MemoryConsumer
from afterguard.stream.memory_transactions import MemoryTransactionalProducer
from afterguard.stream.settings import DeliverySettings, TopicSettings

SECRET = "a text that nobody outside may read"


@asynccontextmanager
async def serving(worker: MemoryWorker) -> AsyncIterator[None]:
    running = worker.serve()
    try:
        await until(lambda: worker.app.started)
        yield
    finally:
        worker.stop.ask()
        worker.stop.ask()
        assert await running is ExitCode.DRAINED


def partition(worker: MemoryWorker) -> PartitionReport:
    report = worker.app.why.report().partitions
    assert [it.partition for it in report] == [0]
    return report[0]


def oldest(worker: MemoryWorker) -> Oldest:
    found = partition(worker).oldest
    assert found is not None
    return found


def request(worker: MemoryWorker, offset: int) -> str:
    return f"{worker.topics.events}/0/{offset}/harassment"


async def test_an_idle_partition_is_held_by_nothing() -> None:
    worker = MemoryWorker(HeldJudge(answered(False)))
    async with serving(worker):
        await until(lambda: len(worker.app.assignments) == 1)
        report = partition(worker)
    assert (report.oldest, report.rooms, report.in_flight, report.stuck) == (None, {}, 0, False)


async def test_at_the_engine_and_behind_it_in_the_lane() -> None:
    judge = HeldJudge(answered(False))
    worker = MemoryWorker(judge, intake={"max_concurrent_events": 1})
    worker.send(0, lane="live")
    worker.send(1, lane="live")
    worker.send(2, lane="live")
    async with serving(worker):
        await until(lambda: partition(worker).rooms == {Room.JUDGE: 1, Room.LANE: 2})
        held = oldest(worker)
        assert (held.offset, held.room, held.event_id) == (0, Room.JUDGE, "e-0")
        assert (held.lane, held.attempts) == (Lane.LIVE, 1)
        judge.let(request(worker, 0))
        await until(lambda: oldest(worker).offset == 1)


async def test_the_tries_are_told_while_they_go_on() -> None:
    worker = MemoryWorker(
        ScriptedJudge(EngineFault("again")), judging={"attempts": 20, "backoff_cap_s": 0.1}
    )
    worker.send(0)
    async with serving(worker):
        await until(lambda: oldest(worker).attempts >= 3)
        assert oldest(worker).room is Room.JUDGE


async def test_what_is_settled_behind_the_oldest_is_counted() -> None:
    judge = HeldJudge(answered(False))
    worker = MemoryWorker(judge)
    for number in range(3):
        worker.send(number, conversation_id=f"c-{number}")
    async with serving(worker):
        judge.let(request(worker, 1))
        judge.let(request(worker, 2))
        await until(lambda: partition(worker).settled_behind == 2)
        report = partition(worker)
    assert (report.admitted, report.settled, report.in_flight) == (3, 2, 1)
    assert report.position is None


async def test_an_intervention_that_waits_for_an_earlier_event_is_held_for_its_order() -> None:
    judge = HeldJudge(answered(True, "H1"))
    worker = MemoryWorker(judge)
    worker.send(0)
    worker.send(1)
    async with serving(worker):
        judge.let(request(worker, 1))
        await until(lambda: partition(worker).rooms == {Room.JUDGE: 1, Room.ORDER: 1})


async def test_what_the_broker_has_not_acknowledged_is_told() -> None:
    producer = HeldProducer()
    worker = MemoryWorker(ScriptedJudge(answered(False)), producer=producer)
    worker.send(0, lane="backfill")
    async with serving(worker):
        await until(lambda: producer.sent)
        held = oldest(worker)
        assert (held.room, held.lane, held.attempts) == (Room.ACKNOWLEDGEMENT, Lane.BACKFILL, 1)
        await producer.acknowledge()


class FullProducer(HeldProducer):
    """Its send buffer is full: no record is taken."""

    async def send(self, record: Any) -> "asyncio.Future[object]":
        await asyncio.Event().wait()
        raise AssertionError("never comes here")


async def test_what_waits_to_be_written_is_told() -> None:
    worker = MemoryWorker(ScriptedJudge(answered(False)), producer=FullProducer())
    worker.send(0)
    worker.send(1)
    async with serving(worker):
        await until(lambda: partition(worker).rooms.get(Room.PUBLISH))


class SlowCommits(MemoryConsumer):
    """A log that answers no commit until the test lets it."""

    answers = False

    async def commit(self, positions: Any) -> bool:
        if not self.answers:
            raise StreamUnavailable("no answer, said the test")
        return await super().commit(positions)


async def test_with_everything_settled_it_is_the_commit_that_lags() -> None:
    log = memory_log()
    consumer = SlowCommits(log, TopicSettings().events, "afterguard")
    worker = MemoryWorker(
        ScriptedJudge(answered(False)),
        log=log,
        consumer=consumer,
        delivery={"commit_interval_s": 0.2},
    )
    worker.send(0)
    async with serving(worker):
        await until(lambda: partition(worker).uncommitted_s)
        report = partition(worker)
        assert (report.oldest, report.position, report.committed) == (None, 1, None)
        consumer.answers = True
        await until(lambda: partition(worker).committed == 1)
        assert partition(worker).uncommitted_s is None


async def test_what_holds_intake_is_told() -> None:
    worker = MemoryWorker(HeldJudge(answered(False)), intake={"max_events_in_flight": 2})
    for number in range(4):
        worker.send(number)
    async with serving(worker):
        await until(lambda: "budget" in worker.app.why.report().intake_held)
        report = worker.app.why.report()
    assert (report.events, report.event_limit, report.started) == (2, 2, True)


async def test_no_text_of_a_message_is_told() -> None:
    worker = MemoryWorker(HeldJudge(answered(False)), intake={"max_concurrent_events": 1})
    worker.send(0, content=SECRET, target={"message": SECRET})
    worker.send(1, content=SECRET)
    async with serving(worker):
        await until(lambda: partition(worker).in_flight == 2)
        told = str(worker.app.why.answer({}))
    assert '"offset": 0' in told.replace("'", '"')
    assert SECRET not in told


@pytest.mark.parametrize("number", ["7", "x", "-1", "²", "9" * 5_000])
async def test_a_partition_that_is_not_ours_is_refused_with_those_that_are(number: str) -> None:
    worker = MemoryWorker(HeldJudge(answered(False)))
    async with serving(worker):
        await until(lambda: len(worker.app.assignments) == 1)
        with pytest.raises(BadQuestion, match="it has: 0"):
            worker.app.why.answer({"partition": number})


async def test_each_entry_is_in_one_room_whatever_happens() -> None:
    judge = HeldJudge(answered(True, "H1"))
    worker = MemoryWorker(judge, intake={"max_concurrent_events": 4})
    for number in range(40):
        worker.send(number, conversation_id=f"c-{number % 3}")
    async with serving(worker):
        await until(lambda: partition(worker).in_flight == 40)
        for offset in (3, 1, 0, 2, *range(4, 40)):
            judge.let(request(worker, offset))
            await asyncio.sleep(0.001)
            report = partition(worker)
            assert sum(report.rooms.values()) == report.in_flight
            assert Room.NOWHERE not in report.rooms
        await until(lambda: partition(worker).settled == 40)


async def test_under_exactly_once_what_is_decided_waits_for_its_turn_behind_the_oldest() -> None:
    judge = HeldJudge(answered(False))
    worker = MemoryWorker(judge)
    worker.app = build(
        worker.app.settings.model_copy(
            update={"delivery": DeliverySettings(guarantee="exactly_once", commit_interval_s=0.01)}
        ),
        judge=judge,
        consumer=MemoryConsumer(worker.log, worker.topics.events, "afterguard"),
        transactional=lambda it: MemoryTransactionalProducer(worker.log, "afterguard", it),
    )
    worker.send(0)
    worker.send(1)
    async with serving(worker):
        await until(lambda: len(judge.requests) == 2)
        judge.let(request(worker, 1))
        await until(lambda: partition(worker).rooms == {Room.JUDGE: 1, Room.PUBLISH: 1})
        judge.let(request(worker, 0))
        await until(lambda: partition(worker).committed == 2)
        assert (partition(worker).oldest, partition(worker).uncommitted_s) == (None, None)
