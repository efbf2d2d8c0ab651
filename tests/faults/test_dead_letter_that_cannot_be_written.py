"""A dead letter that cannot be written leaves its offset unsettled; no commit goes past it."""

import asyncio

from tests.cli.producers import Refused
from tests.memory_worker import MemoryWorker, memory_log, until

from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.stream.memory import MemoryLog, MemoryProducer
from afterguard.stream.settings import TopicSettings

LETTERS = TopicSettings().dead_letters


class NoLetters(MemoryProducer):
    """Writes everything but dead letters; these are refused, or never answered."""

    def __init__(self, log: MemoryLog, *, answers: bool) -> None:
        super().__init__(log)
        self._answers = answers

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """See `stream.ports.Producer.send`."""
        if record.topic != LETTERS:
            return await super().send(record)
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self._answers:
            future.set_exception(Refused())
        return future


def worker(*, answers: bool) -> MemoryWorker:
    log = memory_log()
    made = MemoryWorker(
        log=log,
        producer=NoLetters(log, answers=answers),
        delivery={"commit_interval_s": 0.01, "drain_timeout_s": 0.2},
    )
    made.send(1)
    log.append(OutputRecord(made.topics.events, b"k", b"no json", partition=0))
    made.send(2)
    return made


async def test_refused_it_ends_the_worker_with_its_event_unsettled(
    expected_errors: list[str],
) -> None:
    it = worker(answers=True)
    assert await it.serve() is ExitCode.STREAM_LOST
    assert it.committed <= 1
    assert it.log.records(LETTERS) == []


async def test_unanswered_it_holds_the_commit_back_while_others_go_on() -> None:
    it = worker(answers=False)
    serving = it.serve()
    await until(lambda: it.judged == ["e-1", "e-2"])
    await until(lambda: it.committed == 1)
    it.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert it.committed == 1, "the next owner reads the bad record again"
