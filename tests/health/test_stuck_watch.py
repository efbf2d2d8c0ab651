"""The stuck watch: a record that holds its commit back for long is named; an idle topic never."""

import pytest
from structlog.testing import capture_logs
from tests.flow.judges import HeldJudge, ScriptedJudge
from tests.memory_worker import MemoryWorker, until
from tests.samples import answered

from afterguard.app import App
from afterguard.contracts.exit_codes import ExitCode
from afterguard.health.stuck_watch import StuckWatch
from afterguard.health.why import Why


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def stuck_partitions(app: App) -> float | None:
    return app.metrics.registry.get_sample_value("afterguard_stuck_partitions")


def watch(app: App, clock: Clock) -> StuckWatch:
    """A watch like the worker's own, on a clock of ours."""
    why = Why(
        app.assignments,
        app.dispatch,
        app.publish,
        phase=app.why._phase,
        stuck_after_s=300,
        clock=clock,
    )
    return StuckWatch(why, app.metrics, clock=clock)


async def test_a_record_that_holds_the_commit_is_named_once_a_minute() -> None:
    judge, clock = HeldJudge(answered(False)), Clock()
    worker = MemoryWorker(judge)
    where = worker.send(0)
    worker.send(1)
    running = worker.serve()
    await until(lambda: len(judge.requests) == 2)
    stuck = watch(worker.app, clock)
    with capture_logs() as logs:
        for clock.now in range(421):
            stuck.look()
    told = [it for it in logs if it["log_level"] == "warning"]
    assert [it["still_s"] for it in told] == [300, 360, 420]
    assert told[0]["coordinates"] == str(where)
    assert (told[0]["room"], told[0]["attempts"], told[0]["in_flight"]) == ("judge", 1, 2)
    assert stuck_partitions(worker.app) == 1

    for offset in (0, 1):
        judge.let(f"{worker.topics.events}/0/{offset}/harassment")
    await until(lambda: worker.committed == 2)
    stuck.look()
    assert stuck_partitions(worker.app) == 0
    worker.stop.ask()
    assert await running is ExitCode.DRAINED


@pytest.mark.parametrize("events", [0, 3])
async def test_an_idle_topic_never_alarms(events: int) -> None:
    clock = Clock()
    worker = MemoryWorker(ScriptedJudge(answered(False)))
    for number in range(events):
        worker.send(number)
    running = worker.serve()
    await until(lambda: worker.committed == events and len(worker.app.assignments))
    stuck = watch(worker.app, clock)
    with capture_logs() as logs:
        for clock.now in range(0, 10_000, 100):
            stuck.look()
    assert not logs
    assert stuck_partitions(worker.app) == 0
    worker.stop.ask()
    assert await running is ExitCode.DRAINED


async def test_a_worker_tells_of_it_by_itself() -> None:
    worker = MemoryWorker(HeldJudge(answered(False)), delivery={"stuck_after_s": 0.05})
    worker.send(0)
    with capture_logs() as logs:
        running = worker.serve()
        await until(lambda: stuck_partitions(worker.app))
        worker.stop.ask()
        worker.stop.ask()
        assert await running is ExitCode.DRAINED
    assert any("stuck" in it["event"] for it in logs)
