"""Starting and ending: parts start in order, end in reverse, and none of them holds up the end."""

import asyncio

import pytest
from structlog.testing import capture_logs
from tests.flow.judges import ScriptedEngine, failing, for_ever
from tests.memory_worker import EVENTS, MemoryWorker, until
from tests.samples import answered

from afterguard.contracts.errors import EngineUnavailable, SettingsError, StreamUnavailable
from afterguard.contracts.exit_codes import ExitCode
from afterguard.stream.memory import MemoryConsumer, MemoryLog

CLEAN = answered(False)


@pytest.mark.usefixtures("expected_errors")
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (EngineUnavailable("no GPU"), ExitCode.ENGINE_DIED),
        (SettingsError(["engine.args: no such argument"]), ExitCode.CONFIGURATION),
        (StreamUnavailable("gone"), ExitCode.STREAM_LOST),
        (RuntimeError("odd"), ExitCode.UNFORESEEN),
    ],
)
async def test_a_start_that_fails_ends_the_worker_and_stops_what_had_begun(
    error: Exception, code: ExitCode
) -> None:
    judge = ScriptedEngine(CLEAN, start=failing(error))
    assert await MemoryWorker(judge).serve() is code
    assert judge.stopped == 1


@pytest.mark.usefixtures("expected_errors")
async def test_a_topic_that_is_missing_is_told_at_the_start() -> None:
    consumer = MemoryConsumer(MemoryLog({"another": 1}), EVENTS.topic, "afterguard")
    assert await MemoryWorker(consumer=consumer).serve() is ExitCode.STREAM_LOST


async def test_asked_to_stop_while_the_engine_starts_it_does_not_wait_for_it() -> None:
    begun = asyncio.Event()

    async def start() -> None:
        begun.set()
        await for_ever()

    judge = ScriptedEngine(CLEAN, start=start)
    worker = MemoryWorker(judge)
    serving = worker.serve()
    await begun.wait()
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert judge.stopped == 1
    assert not worker.app.started


async def test_asked_to_stop_before_anything_has_started_it_starts_nothing_else() -> None:
    worker = MemoryWorker()
    worker.stop.ask()
    assert await worker.serve() is ExitCode.DRAINED
    assert not worker.app.started


async def test_an_engine_that_does_not_stop_does_not_keep_the_worker() -> None:
    worker = MemoryWorker(ScriptedEngine(CLEAN, stop=for_ever))
    worker.send(0)
    serving = worker.serve(part_end_s=0.05)
    await until(lambda: worker.judged)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert worker.committed == 1


async def test_a_part_that_ends_badly_is_told_and_the_others_are_still_ended() -> None:
    class BrokenConsumer(MemoryConsumer):
        async def stop(self) -> None:
            await super().stop()
            raise OSError("hunter2")

    log = MemoryLog({EVENTS.topic: 1})
    judge = ScriptedEngine(CLEAN)
    worker = MemoryWorker(judge, consumer=BrokenConsumer(log, EVENTS.topic, "afterguard"))
    serving = worker.serve()
    await until(lambda: worker.app.started)
    worker.stop.ask()
    with capture_logs() as logs:
        assert await serving is ExitCode.DRAINED
    (told,) = [entry for entry in logs if entry["event"] == "a part did not end cleanly"]
    assert (told["part"], told["error"]) == ("consumer", "OSError")
    assert judge.stopped == 1


async def test_a_consumer_that_never_leaves_does_not_keep_the_worker() -> None:
    class StuckConsumer(MemoryConsumer):
        async def stop(self) -> None:
            await super().stop()
            await for_ever()

    log = MemoryLog({EVENTS.topic: 1})
    worker = MemoryWorker(consumer=StuckConsumer(log, EVENTS.topic, "afterguard"))
    serving = worker.serve(part_end_s=0.05)
    await until(lambda: worker.app.started)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
