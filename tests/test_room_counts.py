"""Rooms: every event is counted once in each room that it went through, and where it failed."""

from collections.abc import Callable, Mapping

import pytest
from prometheus_client import CollectorRegistry
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import MemoryWorker, until
from tests.samples import answered

from afterguard.app import build
from afterguard.contracts.errors import RequestRefused, StreamUnavailable
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.engine.null_engine import NullJudge
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.stream.memory import MemoryConsumer, MemoryLog
from afterguard.stream.memory_transactions import MemoryTransactionalProducer
from afterguard.stream.ports import Partition
from afterguard.stream.settings import DeliverySettings
from afterguard.telemetry.room_metric_list import ROOMS


def counts(registry: CollectorRegistry) -> dict[str, tuple[float, float]]:
    """What left each room as it should, and what did not."""

    def read(room: str, result: str) -> float:
        labels = {"room": room, "result": result}
        return registry.get_sample_value("afterguard_room_events_total", labels) or 0.0

    return {it.name: (read(it.name, "ok"), read(it.name, "error")) for it in ROOMS}


def _odd(asked: JudgeRequest) -> Judgement | Exception:
    if asked.content.endswith("refuse"):
        return RequestRefused("no")
    return answered(True, "H2")


async def served(worker: MemoryWorker, done: Callable[[], bool]) -> None:
    serving = worker.serve()
    await until(done)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED


@pytest.mark.usefixtures("expected_errors")
async def test_every_event_is_counted_once_in_each_room_that_it_went_through() -> None:
    worker = MemoryWorker(ScriptedJudge(_odd))
    for number in range(4):
        worker.send(number)
    worker.send(4, content="refuse")
    worker.send(5, content="   ")
    worker.log.append(OutputRecord(worker.topics.events, None, b"no event", partition=0))
    await served(worker, lambda: worker.committed == 7)
    assert counts(worker.app.metrics.registry) == {
        "intake": (6, 1),
        "admit": (6, 0),
        "judge": (4, 1),
        "decide": (6, 0),
        "publish": (7, 0),
        "settle": (7, 0),
    }


async def test_the_seconds_of_the_rooms_are_those_between_taken_and_acknowledged() -> None:
    worker = MemoryWorker()
    for number in range(20):
        worker.send(number)
    await served(worker, lambda: worker.committed == 20)
    read = worker.app.metrics.registry.get_sample_value
    seconds = {
        it.name: read("afterguard_room_seconds_total", {"room": it.name}) or 0.0 for it in ROOMS
    }
    assert all(it > 0 for it in seconds.values()), seconds
    assert read("afterguard_publish_seconds_count") == 20
    assert read("afterguard_publish_seconds_sum") == pytest.approx(seconds["publish"])


async def test_what_is_given_up_in_its_lane_failed_to_be_admitted() -> None:
    worker = MemoryWorker(ScriptedJudge(answered(False)), intake={"max_concurrent_events": 1})
    worker.app.dispatch.close()
    worker.send(0, deadline="2020-01-01T00:00:00Z")
    serving = worker.serve()
    await until(lambda: worker.app.dispatch.waiting)
    worker.app.dispatch.sweep()
    assert counts(worker.app.metrics.registry)["admit"] == (0, 1)
    worker.stop.ask()
    await serving


class BrokenOnce(MemoryTransactionalProducer):
    """A producer of a group whose first transaction with records is never answered."""

    def __init__(self, log: MemoryLog, partition: Partition, broken: list[Partition]) -> None:
        super().__init__(log, "afterguard", partition)
        self._partition, self._broken = partition, broken

    async def commit(self) -> None:
        """Fail once, with all that it holds."""
        if not self._broken and self._records:
            self._broken.append(self._partition)
            raise StreamUnavailable("away")
        await super().commit()


async def test_under_exactly_once_a_transaction_publishes_and_settles() -> None:
    worker, broken = MemoryWorker(kafka={"heartbeat_interval_ms": 100}), list[Partition]()
    consumer = MemoryConsumer(worker.log, worker.topics.events, "afterguard")
    settings = worker.app.settings.model_copy(
        update={"delivery": DeliverySettings(guarantee="exactly_once", commit_interval_s=0.01)}
    )
    worker.app = build(
        settings,
        judge=NullJudge(),
        consumer=consumer,
        transactional=lambda it: BrokenOnce(worker.log, it, broken),
    )
    for number in range(5):
        worker.send(number)
    await served(worker, lambda: worker.committed == 5)
    found = counts(worker.app.metrics.registry)
    assert found["publish"][0] == found["settle"][0] == 5
    assert found["publish"][1] > 0
    assert found["settle"][1] == 0


class RefusesOnce(MemoryConsumer):
    """A group that refuses the first commit, as one that has moved on does."""

    refused = 0

    async def commit(self, positions: Mapping[Partition, int]) -> bool:
        """Refuse the first that holds events."""
        if not self.refused and any(positions.values()):
            self.refused = sum(positions.values())
            return False
        return await super().commit(positions)


async def test_a_commit_that_is_refused_is_an_error_and_its_events_are_committed_later() -> None:
    worker = MemoryWorker()
    consumer = RefusesOnce(worker.log, worker.topics.events, "afterguard")
    worker = MemoryWorker(log=worker.log, consumer=consumer)
    for number in range(5):
        worker.send(number)
    await served(worker, lambda: worker.committed == 5)
    assert consumer.refused > 0
    assert counts(worker.app.metrics.registry)["settle"] == (5, consumer.refused)
