"""A transaction counts as a whole or not at all, on Kafka and on its memory twin alike.

The fence is a real one each time: a second producer of the same transactional id is started.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.conftest import Broker
from tests.stream.logs import InMemory, KafkaLog, Log, write

from afterguard.contracts.errors import Fenced, PublishFailed, StreamError
from afterguard.contracts.records import OutputRecord
from afterguard.stream.ports import Partition, TransactionalProducer
from afterguard.stream.transaction import transact

GROUP = "g"
LIMIT_S = 20.0


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.broker)])
def log(request: pytest.FixtureRequest) -> Log:
    if request.param == "memory":
        return InMemory()
    broker: Broker = request.getfixturevalue("group_kafka")
    return KafkaLog(broker)


class Overtaken:
    """A producer that is overtaken by another of its id just before one of its calls.

    Args:
        inner: The producer.
        overtake: Starts the other.
        call: Before which.
        place: Before which call of that name, from 0; records before it are acknowledged first.
    """

    def __init__(
        self,
        inner: TransactionalProducer,
        overtake: Callable[[], "asyncio.Future[None]"],
        call: str,
        place: int = 0,
    ) -> None:
        self._inner, self._overtake = inner, overtake
        self._call, self._place = call, place
        self._sent: list[asyncio.Future[object]] = []

    async def _perhaps(self, call: str) -> None:
        if call == self._call:
            if self._place == 0:
                await asyncio.gather(*self._sent, return_exceptions=True)
                await self._overtake()
            self._place -= 1

    async def start(self) -> None:
        await self._inner.start()

    async def begin(self) -> None:
        await self._perhaps("begin")
        await self._inner.begin()

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        await self._perhaps("send")
        self._sent.append(await self._inner.send(record))
        return self._sent[-1]

    async def send_offset(self, partition: Partition, offset: int) -> None:
        await self._perhaps("send_offset")
        await self._inner.send_offset(partition, offset)

    async def commit(self) -> None:
        await self._perhaps("commit")
        await self._inner.commit()

    async def abort(self) -> None:
        await self._perhaps("abort")
        await self._inner.abort()

    async def stop(self) -> None:
        await self._inner.stop()


@asynccontextmanager
async def started(producer: TransactionalProducer) -> AsyncIterator[TransactionalProducer]:
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


class Scene:
    """An input partition, an output topic, and producers of one transactional id."""

    def __init__(self, log: Log, events: str, outputs: str) -> None:
        self.log, self.outputs = log, outputs
        self.partition = Partition(events, 0)
        self.group = f"{GROUP}.{events}"
        self.rival = self.producer()

    def producer(self) -> TransactionalProducer:
        return self.log.transactional(self.group, self.partition)

    def records(self, *values: bytes) -> list[OutputRecord]:
        return [OutputRecord(self.outputs, b"k", value) for value in values]

    async def transact(
        self, producer: TransactionalProducer, records: list[OutputRecord], position: int
    ) -> None:
        await transact(producer, records, (self.partition, position), limit_s=LIMIT_S)

    async def written(self) -> list[bytes | None]:
        return [it.value for it in await self.log.read(self.outputs)]

    async def committed(self) -> int | None:
        return await self.log.committed(self.group, self.partition)

    def overtake(self) -> "asyncio.Future[None]":
        return asyncio.ensure_future(self.rival.start())


@pytest.fixture
async def scene(log: Log) -> AsyncIterator[Scene]:
    made = Scene(log, await log.topic(partitions=1), await log.topic(partitions=1))
    await write(log, [OutputRecord(made.partition.topic, None, b"in", (), 0)] * 5)
    yield made
    await made.rival.stop()


async def test_records_and_offset_count_together(scene: Scene) -> None:
    async with started(scene.producer()) as producer:
        await scene.transact(producer, scene.records(b"a", b"b"), 2)
        await scene.transact(producer, scene.records(b"c"), 3)
    assert await scene.written() == [b"a", b"b", b"c"]
    assert await scene.committed() == 3


@pytest.mark.parametrize(
    ("call", "place"),
    [("begin", 0), ("send", 0), ("send", 1), ("send_offset", 0), ("commit", 0)],
)
async def test_who_is_fenced_at_any_call_has_written_nothing(
    scene: Scene, call: str, place: int, expected_errors: list[str]
) -> None:
    async with started(Overtaken(scene.producer(), scene.overtake, call, place)) as fenced:
        with pytest.raises(Fenced):
            await scene.transact(fenced, scene.records(b"late", b"later"), 2)
        assert await scene.written() == []
        assert await scene.committed() is None

        await scene.transact(scene.rival, scene.records(b"rightful"), 1)
    assert await scene.written() == [b"rightful"]
    assert await scene.committed() == 1


async def test_who_is_fenced_while_he_aborts_is_told_so(
    scene: Scene, expected_errors: list[str]
) -> None:
    records = scene.records(b"small", b"x" * 2_000_000)
    async with started(Overtaken(scene.producer(), scene.overtake, "abort")) as fenced:
        with pytest.raises(Fenced):
            await scene.transact(fenced, records, 2)
    assert await scene.written() == []
    assert await scene.committed() is None


async def test_once_fenced_every_call_says_so(scene: Scene, expected_errors: list[str]) -> None:
    async with started(Overtaken(scene.producer(), scene.overtake, "commit")) as fenced:
        with pytest.raises(Fenced):
            await scene.transact(fenced, scene.records(b"late"), 1)
        for call in (fenced.commit, fenced.abort):
            with pytest.raises(Fenced):
                await call()


async def test_a_record_that_the_log_refuses_takes_its_transaction_with_it(scene: Scene) -> None:
    records = scene.records(b"before", b"x" * 2_000_000, b"after")
    async with started(scene.producer()) as producer:
        with pytest.raises(PublishFailed):
            await scene.transact(producer, records, 3)
    assert await scene.written() == []
    assert await scene.committed() is None


async def test_a_commit_asked_for_in_spite_of_a_refused_record_succeeds_without_it(
    scene: Scene,
) -> None:
    """Why each record is looked at before."""
    async with started(scene.producer()) as producer:
        await producer.begin()
        sent = [await producer.send(record) for record in scene.records(b"kept", b"x" * 2_000_000)]
        await asyncio.wait(sent)
        assert isinstance(sent[1].exception(), PublishFailed)
        await producer.commit()
    assert await scene.written() == [b"kept"]


async def test_what_was_left_open_is_ended_by_the_next_owner(scene: Scene) -> None:
    async with started(scene.producer()) as left:
        await left.begin()
        await (await left.send(scene.records(b"open")[0]))
        await left.send_offset(scene.partition, 4)
    async with started(scene.producer()) as heir:
        assert await scene.written() == []
        assert await scene.committed() is None
        await scene.transact(heir, scene.records(b"again"), 1)
    assert await scene.written() == [b"again"]
    assert await scene.committed() == 1


async def test_a_producer_that_never_started_stops(scene: Scene) -> None:
    producer = scene.producer()
    with pytest.raises(StreamError):
        await producer.begin()
    await producer.stop()
