"""Transactions: what is decided leaves in order, and whoever is fenced stays away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from tests.stream.weathered_worker import GROUP, NO_EVENT, ONE, OTHER, TOPICS, Worker

from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.errors import Fenced, PublishFailed, StreamUnavailable
from afterguard.contracts.exit_codes import ExitCode, exit_code
from afterguard.contracts.records import OutputRecord
from afterguard.stream import rebalance
from afterguard.stream.memory import MemoryLog
from afterguard.stream.memory_transactions import MemoryTransactionalProducer


def log_of(count: int) -> MemoryLog:
    log = MemoryLog({TOPICS.events: 2, TOPICS.dead_letters: 1})
    for _ in range(count):
        log.append(OutputRecord(TOPICS.events, None, b"x", (), 0))
    return log


async def turns(count: int = 60) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@asynccontextmanager
async def working(log: MemoryLog) -> AsyncIterator[Worker]:
    """A worker that has taken everything in and decided nothing."""
    worker = Worker(log)
    await worker.join()
    await turns()
    await worker.take(100)
    try:
        yield worker
    finally:
        await worker.consumer.stop()
        await worker.transactions.stop()
        assert worker.running is not None
        worker.running.cancel()
        await asyncio.gather(worker.running, return_exceptions=True)


def told(log: MemoryLog) -> list[int]:
    letters = log.records(TOPICS.dead_letters)
    return [DeadLetter.model_validate_json(it.value or b"").offset for it in letters]


def committed(log: MemoryLog) -> int | None:
    return log.committed.get((GROUP, ONE))


def decide(worker: Worker, *offsets: int) -> None:
    for record, entry in list(worker.waiting):
        if record.coordinates.offset in offsets:
            worker.waiting.remove((record, entry))
            worker.decided.reject(record, entry, NO_EVENT)


async def test_an_undecided_event_holds_back_those_behind_it() -> None:
    log = log_of(4)
    async with working(log) as worker:
        decide(worker, 1, 2, 3)
        await turns()
        assert (told(log), committed(log)) == ([], 0)
        assert worker.decided.waiting == 3

        decide(worker, 0)
        await turns()
        assert (told(log), committed(log)) == ([0, 1, 2, 3], 4)


async def test_whoever_is_fenced_writes_nothing_and_takes_nothing_until_it_is_assigned_anew() -> (
    None
):
    log = log_of(4)
    async with working(log) as worker:
        await MemoryTransactionalProducer(log, GROUP, ONE).start()
        decide(worker, 0)
        await turns()
        assert (told(log), committed(log)) == ([], 0)
        assert worker.assignments.get(ONE) is None
        assert worker.assignments.get(OTHER) is not None, "only this partition"
        await worker.take(100)
        assert log.epochs[f"{GROUP}.{ONE.topic}.0"] == 2, "it did not fence in its turn"

        await log.group(GROUP, TOPICS.events).deal()
        await turns()
        worker.waiting.clear()
        await worker.take(100)
        decide(worker, 0, 1, 2, 3)
        await turns()
        assert told(log) == [0, 1, 2, 3]


async def test_a_group_that_leaves_a_fenced_partition_with_us_is_left() -> None:
    log, now = log_of(1), 0.0
    async with working(log) as worker:
        worker.transactions._clock = lambda: now
        await MemoryTransactionalProducer(log, GROUP, ONE).start()
        decide(worker, 0)
        await turns()
        assert worker.running is not None
        assert not worker.running.done(), "it is given the time of two heartbeats"
        now = 2 * worker.transactions._pace.heartbeat_s + 0.1
        await turns()
        error = worker.running.exception()
    assert isinstance(error, Fenced)
    assert exit_code(error) is ExitCode.FENCED


async def test_after_a_fault_the_partition_is_read_again_from_its_commit() -> None:
    log = log_of(4)
    async with working(log) as worker:
        decide(worker, 0, 1)
        await turns()
        worker.weather.breaks["commit"] = "after"
        decide(worker, 2)
        await turns(120)
        assert committed(log) == 3, "it counted, though the answer was lost"
        worker.waiting.clear()
        await worker.take(100)
        assert [record.coordinates.offset for record, _ in worker.waiting] == [3]
        decide(worker, 3)
        await turns()
        assert told(log) == [0, 1, 2, 3]


async def test_a_partition_that_is_armed_takes_in_nothing_from_before_its_commit() -> None:
    log = log_of(4)
    async with working(log) as worker:
        decide(worker, 0, 1)
        await turns()
        await log.group(GROUP, TOPICS.events).deal()
        await turns()
        assignment = worker.assignments.get(ONE)
        assert assignment is not None
        assert committed(log) == 2
        with pytest.raises(ValueError, match="offset 1 after 1"):
            assignment.ledger.admit(1, 1, 0.0)


async def test_a_refused_record_ends_the_worker_with_nothing_committed_past_it() -> None:
    log = log_of(2)
    async with working(log) as worker:
        worker.weather.breaks["send"] = "refused"
        decide(worker, 0, 1)
        await turns()
        assert worker.running is not None
        assert isinstance(worker.running.exception(), PublishFailed)
        assert (told(log), committed(log)) == ([], 0)


async def test_transactions_that_fail_each_time_end_the_worker() -> None:
    log = log_of(1)
    async with working(log) as worker:
        assert worker.running is not None
        for _ in range(20):
            worker.weather.breaks["begin"] = "before"
            decide(worker, 0)
            await turns()
            worker.waiting.clear()
            if worker.running.done():
                break
            await worker.take(100)
        assert isinstance(worker.running.exception(), StreamUnavailable)
        assert committed(log) == 0


async def test_what_completes_after_its_partition_went_is_not_written() -> None:
    log = log_of(2)
    async with working(log) as worker:
        late = list(worker.waiting)
        await log.group(GROUP, TOPICS.events).deal()
        await turns()
        for record, entry in late:
            worker.decided.reject(record, entry, NO_EVENT)
        await turns()
        assert (told(log), committed(log)) == ([], 0)
        assert worker.decided.waiting == 0


async def test_a_producer_that_hangs_does_not_hold_a_revoke(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rebalance, "LAST_COMMIT_S", 0.05)
    log = log_of(2)
    async with working(log) as worker:
        worker.transactions._clock = worker.rebalance._clock = monotonic
        worker.weather.thawed.clear()
        decide(worker, 0)
        await turns()
        async with asyncio.timeout(5):
            await log.group(GROUP, TOPICS.events).deal()
        worker.weather.thawed.set()
        await turns()
        assert worker.assignments.get(ONE) is not None
