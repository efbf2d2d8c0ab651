"""Lifecycle: start in order, serve, drain, and an exit code that says how it ended."""

import asyncio
import gc
import os
import signal
from collections.abc import Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.flow.judges import HeldJudge, ScriptedEngine, ScriptedJudge
from tests.memory_worker import EVENTS, MemoryWorker, memory_log, until
from tests.samples import answered

from afterguard.contracts.errors import (
    EngineDead,
    EngineUnavailable,
    Fenced,
    PolicyError,
    PublishFailed,
    RejectedInput,
    RejectReason,
    SettingsError,
    StreamUnavailable,
    TopicMissing,
)
from afterguard.contracts.exit_codes import ExitCode, exit_code
from afterguard.contracts.records import OutputRecord
from afterguard.health.engine_watch import EngineWatch
from afterguard.lifecycle import Stop
from afterguard.stream.memory import MemoryConsumer, MemoryLog, MemoryProducer
from afterguard.stream.ports import Partition

CLEAN = answered(False)


async def test_a_worker_judges_what_is_there_and_drains_when_asked() -> None:
    worker = MemoryWorker()
    for number in range(20):
        worker.send(number)
    serving = worker.serve()
    await until(lambda: len(worker.audit) == 20)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert sorted(worker.judged) == sorted(f"e-{number}" for number in range(20))
    assert worker.committed == 20
    assert worker.app.budget.statistics()[0:3:2] == (0, 0)


async def test_it_says_when_the_first_record_may_come() -> None:
    worker, said = MemoryWorker(), asyncio.Event()
    serving = worker.serve(ready=said.set)
    await said.wait()
    assert worker.app.started
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED


async def test_what_is_in_flight_is_finished_before_the_end() -> None:
    judge = HeldJudge(CLEAN)
    worker = MemoryWorker(judge)
    worker.send(0)
    serving = worker.serve()
    await until(lambda: judge.requests)
    worker.stop.ask()
    await until(lambda: worker.app.draining)
    judge.let(judge.requests[0].request_id)
    assert await serving is ExitCode.DRAINED
    assert (worker.judged, worker.committed) == (["e-0"], 1)


async def test_nothing_new_is_taken_in_while_draining() -> None:
    judge = HeldJudge(CLEAN)
    worker = MemoryWorker(judge)
    worker.send(0)
    serving = worker.serve()
    await until(lambda: judge.requests)
    worker.stop.ask()
    await until(lambda: worker.app.draining)
    worker.send(1)
    await asyncio.sleep(0.02)
    judge.let(judge.requests[0].request_id)
    await serving
    assert (worker.judged, worker.committed) == (["e-0"], 1)


async def test_a_hung_engine_keeps_the_drain_no_longer_than_its_budget() -> None:
    judge = HeldJudge(CLEAN)
    worker = MemoryWorker(judge, delivery={"drain_timeout_s": 0.05})
    worker.send(0)
    serving = worker.serve()
    await until(lambda: judge.requests)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert judge.ended == [judge.requests[0].request_id]
    assert (worker.judged, worker.committed) == ([], 0)
    assert worker.app.assignments.fates == (1, 0, 0, 1)


async def test_asking_a_second_time_gives_back_what_is_in_flight_at_once() -> None:
    judge = HeldJudge(CLEAN)
    worker = MemoryWorker(judge, delivery={"drain_timeout_s": 3_600})
    worker.send(0)
    worker.send(1)
    serving = worker.serve()
    await until(lambda: len(judge.requests) == 2)
    judge.let(judge.requests[0].request_id)
    await until(lambda: worker.judged)
    worker.stop.ask()
    await until(lambda: worker.app.draining)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert (worker.judged, worker.committed) == (["e-0"], 1)


async def test_a_signal_asks_to_end() -> None:
    stop = Stop()
    undo = stop.on_signals()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        await stop.wait()
        os.kill(os.getpid(), signal.SIGINT)
        await stop.wait_hurry()
    finally:
        undo()
    assert stop.asked


@pytest.mark.usefixtures("expected_errors")
async def test_a_dead_engine_ends_the_worker_with_what_it_had_unsettled() -> None:
    judge = HeldJudge(lambda asked: CLEAN if "/0/0/" in asked.request_id else EngineDead("gone"))
    worker = MemoryWorker(
        judge, intake={"max_concurrent_events": 2}, delivery={"revoke_grace_s": 50}
    )
    for number in range(6):
        worker.send(number)
    serving = worker.serve()
    await until(lambda: len(judge.requests) == 2)
    judge.let("chat.events/0/0/harassment")
    await until(lambda: worker.judged)
    judge.let("chat.events/0/1/harassment")
    # Within the test's own patience: nobody waits fifty seconds for what will never finish.
    assert await asyncio.wait_for(serving, 20) is ExitCode.ENGINE_DIED
    assert (worker.judged, worker.committed) == (["e-0"], 1)
    assert worker.app.assignments.fates == (6, 1, 0, 5)


@pytest.mark.usefixtures("expected_errors")
async def test_an_engine_that_answers_nothing_any_more_ends_the_worker() -> None:
    class SilentJudge(HeldJudge):
        async def healthy(self) -> bool:
            return False

    worker = MemoryWorker(SilentJudge(CLEAN))
    worker.app.engine_watch = EngineWatch(worker.app.judge, interval_s=0.005, limit_s=0.02)
    worker.send(0)
    assert await worker.serve() is ExitCode.ENGINE_DIED
    assert worker.committed == 0


async def test_an_engine_that_answers_again_in_time_goes_on() -> None:
    class FalteringJudge(ScriptedJudge):
        looks = 0

        async def healthy(self) -> bool:
            self.looks += 1
            return self.looks % 3 == 0

    judge = FalteringJudge(CLEAN)
    worker = MemoryWorker(judge)
    worker.app.engine_watch = EngineWatch(judge, interval_s=0.001, limit_s=20)
    serving = worker.serve()
    await until(lambda: judge.looks > 20)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED


class RefusingProducer(MemoryProducer):
    """Refuses every record of one topic, as a broker refuses one that is too large."""

    def __init__(self, log: MemoryLog, topic: str) -> None:
        super().__init__(log)
        self._topic = topic

    async def send(self, record: OutputRecord) -> "asyncio.Future[object]":
        if record.topic != self._topic:
            return await super().send(record)
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        future.set_exception(OSError("refused"))
        return future


@pytest.mark.usefixtures("expected_errors")
async def test_a_refused_output_ends_the_worker_with_its_event_unsettled() -> None:
    log = memory_log()
    worker = MemoryWorker(log=log, producer=RefusingProducer(log, "moderation.audit"))
    worker.send(0)
    assert await worker.serve() is ExitCode.STREAM_LOST
    assert worker.committed == 0


class SpoiltConsumer(MemoryConsumer):
    """Its log does what the test says instead of delivering."""

    def __init__(self, error: Exception, log: MemoryLog | None = None) -> None:
        super().__init__(log or MemoryLog({EVENTS.topic: 1}), EVENTS.topic, "afterguard")
        self._error = error

    async def take(self, max_records: int, timeout_s: float) -> Any:
        raise self._error


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StreamUnavailable("gone"), ExitCode.STREAM_LOST),
        (EngineDead("gone"), ExitCode.ENGINE_DIED),
        (KeyError("hunter2"), ExitCode.UNFORESEEN),
    ],
)
async def test_an_error_while_serving_ends_the_worker_and_stops_every_part(
    error: Exception, code: ExitCode
) -> None:
    judge = ScriptedEngine(CLEAN)
    worker = MemoryWorker(judge, consumer=SpoiltConsumer(error))
    assert await worker.serve() is code
    assert judge.stopped == 1


@pytest.mark.usefixtures("expected_errors")
async def test_an_unforeseen_error_is_told_by_its_place_and_never_by_its_text() -> None:
    worker = MemoryWorker(consumer=SpoiltConsumer(KeyError("hunter2")))
    with capture_logs() as logs:
        assert await worker.serve() is ExitCode.UNFORESEEN
    (told,) = [entry for entry in logs if entry["event"] == "the worker ends"]
    assert told["error"] == "KeyError"
    assert told["frames"][-1].startswith("test_lifecycle.py:")
    assert "hunter2" not in str(logs)


@pytest.mark.usefixtures("expected_errors")
async def test_a_log_that_takes_no_commit_is_told_as_lost_and_not_as_drained() -> None:
    class DeafConsumer(MemoryConsumer):
        async def commit(self, positions: Mapping[Partition, int]) -> bool:
            raise StreamUnavailable("no answer")

    log = memory_log()
    worker = MemoryWorker(log=log, consumer=DeafConsumer(log, EVENTS.topic, "afterguard"))
    worker.send(0)
    assert await asyncio.wait_for(worker.serve(), 30) is ExitCode.STREAM_LOST


async def test_garbage_collection_is_as_it_was_when_the_worker_has_ended() -> None:
    before = gc.get_threshold(), gc.get_freeze_count()
    worker = MemoryWorker()
    serving = worker.serve()
    await until(lambda: worker.app.started)
    worker.stop.ask()
    await serving
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError(["x"]), 78),
        (PolicyError("x"), 78),
        (EngineDead("x"), 80),
        (EngineUnavailable("x"), 80),
        (StreamUnavailable("x"), 81),
        (PublishFailed("x"), 81),
        (Fenced("x"), 82),
        (TopicMissing("x"), 81),
        (RejectedInput(RejectReason.NOT_JSON, "x"), 1),
        (ValueError("x"), 1),
        (ExceptionGroup("x", [ValueError("x"), ExceptionGroup("y", [EngineDead("x")])]), 80),
    ],
)
def test_every_error_has_its_exit_code(error: Exception, code: int) -> None:
    assert exit_code(error) == code
