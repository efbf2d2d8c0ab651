"""A whole worker under exactly once: every room is real but the log and the engine."""

from tests.memory_worker import EVENTS, MemoryWorker, until
from tests.samples import input_record

from afterguard.app import build
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.engine.null_engine import NullJudge
from afterguard.stream.memory import MemoryConsumer
from afterguard.stream.memory_transactions import MemoryTransactionalProducer
from afterguard.stream.settings import DeliverySettings

GROUP = "afterguard"


class ExactlyOnceWorker(MemoryWorker):
    """As `MemoryWorker`, with transactions."""

    def __init__(self) -> None:
        super().__init__()
        settings = self.app.settings
        self.app = build(
            settings.model_copy(
                update={
                    "delivery": DeliverySettings(guarantee="exactly_once", commit_interval_s=0.01)
                }
            ),
            judge=NullJudge(),
            consumer=MemoryConsumer(self.log, self.topics.events, GROUP),
            transactional=lambda it: MemoryTransactionalProducer(self.log, GROUP, it),
        )


async def test_events_and_rejects_are_written_once_and_committed_with_their_outputs() -> None:
    worker = ExactlyOnceWorker()
    for number in range(20):
        worker.send(number)
    worker.log.append(OutputRecord(EVENTS.topic, None, b"no event", partition=0))
    serving = worker.serve()
    await until(lambda: worker.committed == 21)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert sorted(worker.judged) == sorted(f"e-{number}" for number in range(20))
    assert len(worker.log.records(worker.topics.dead_letters)) == 1


async def test_a_drain_writes_what_is_in_flight_in_a_last_transaction() -> None:
    worker = ExactlyOnceWorker()
    serving = worker.serve()
    await until(lambda: worker.app.assignments.get(EVENTS))
    for number in range(50):
        worker.send(number)
    await until(lambda: worker.app.assignments.fates.admitted == 50)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert worker.committed == len(worker.judged) == 50


async def test_an_output_that_the_log_refuses_ends_the_worker_with_its_event_unsettled(
    expected_errors: list[str],
) -> None:
    worker = ExactlyOnceWorker()
    worker.log._max_record_bytes = 60
    worker.log.partitions[EVENTS].append(
        input_record(b"no event", coordinates=Coordinates(EVENTS.topic, 0, 0))
    )
    assert await worker.serve() is ExitCode.STREAM_LOST
    assert worker.committed == 0
    assert worker.audit == []
