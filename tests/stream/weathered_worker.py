"""The stream of one worker on the log in memory, with weather that befalls its producers.

Transactions, arming, ledgers and rebalances are real; the flow is in the hands of the test. Every
call of a producer stops before and after it does its work, so that anything can happen in between.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tests.samples import NOON

from afterguard.contracts.errors import (
    PublishFailed,
    RejectedInput,
    RejectReason,
    StreamUnavailable,
)
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.delivery.budget import TokenBudget
from afterguard.delivery.ledger import Entry
from afterguard.stream.assignments import Assignments
from afterguard.stream.memory import MemoryConsumer, MemoryLog
from afterguard.stream.memory_transactions import MemoryTransactionalProducer
from afterguard.stream.outputs import Outputs
from afterguard.stream.parcels import Parcels
from afterguard.stream.ports import Partition
from afterguard.stream.rebalance import Rebalance
from afterguard.stream.settings import TopicSettings
from afterguard.stream.transactional_publish import TransactionalPublish
from afterguard.stream.transactions import Pace, Transactions
from afterguard.telemetry.metrics import Metrics

TOPICS, GROUP = TopicSettings(), "g"
ONE, OTHER = Partition(TOPICS.events, 0), Partition(TOPICS.events, 1)
CALLS = ["start", "begin", "send", "send_offset", "commit", "abort"]
NO_EVENT = RejectedInput(RejectReason.NOT_JSON, "no event")
METRICS = Metrics()

Answer = TypeVar("Answer")


class Weather:
    """What befalls the producers of one worker."""

    def __init__(self) -> None:
        self.breaks: dict[str, str] = {}
        self.thawed = asyncio.Event()
        self.thawed.set()

    async def befall(self, call: str, when: str) -> None:
        await asyncio.sleep(0)
        await self.thawed.wait()
        if self.breaks.get(call) == when:
            del self.breaks[call]
            raise StreamUnavailable(f"{call} broke {when} it was done")


class Weathered:
    """A producer in memory that the weather befalls."""

    def __init__(self, inner: MemoryTransactionalProducer, weather: Weather) -> None:
        self._inner, self._weather = inner, weather

    async def _through(self, call: str, work: Awaitable[Answer]) -> Answer:
        try:
            await self._weather.befall(call, "before")
        except BaseException:
            getattr(work, "close", lambda: None)()
            raise
        done = await work
        await self._weather.befall(call, "after")
        return done

    async def start(self) -> None:
        await self._through("start", self._inner.start())

    async def begin(self) -> None:
        await self._through("begin", self._inner.begin())

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        if self._weather.breaks.get("send") == "refused":
            del self._weather.breaks["send"]
            refused: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            refused.set_exception(PublishFailed("too large"))
            return refused
        return await self._through("send", self._inner.send(record))

    async def send_offset(self, partition: Partition, offset: int) -> None:
        await self._through("send_offset", self._inner.send_offset(partition, offset))

    async def commit(self) -> None:
        await self._through("commit", self._inner.commit())

    async def abort(self) -> None:
        await self._through("abort", self._inner.abort())

    async def stop(self) -> None:
        await asyncio.sleep(0)
        await self._inner.stop()


class Worker:
    """The stream of one worker; its flow is in the hands of the test."""

    def __init__(self, log: MemoryLog) -> None:
        self.log, self.weather = log, Weather()
        self.budget = TokenBudget(10_000, 1_000, 0.5)
        self.assignments = Assignments(self.budget.release)
        self.consumer = MemoryConsumer(log, TOPICS.events, GROUP)
        outputs = Outputs(TOPICS, source="/t", max_record_bytes=900_000, now=lambda: NOON)
        self.decided = TransactionalPublish(Parcels(outputs, METRICS), wake_at=3)
        self.transactions = Transactions(
            self.consumer,
            lambda it: Weathered(MemoryTransactionalProducer(log, GROUP, it), self.weather),
            self.assignments,
            self.decided,
            pace=Pace(interval_s=0.0, max_events=3, limit_s=60.0, heartbeat_s=1.0),
            cast_off=lambda: 0,
            clock=lambda: 0.0,
            sleep=lambda _: asyncio.sleep(0),
        )
        self.rebalance = Rebalance(
            self,  # type: ignore[arg-type]
            self.transactions,
            self,
            grace_s=0.0,
            clock=lambda: 0.0,
        )
        self.waiting: list[tuple[InputRecord, Entry]] = []
        self.held = self.member = self.frozen = False
        self.running: asyncio.Task[None] | None = None

    # The rooms around it, as small as they can be.
    def hold(self) -> None:
        self.held = True

    def release(self) -> None:
        self.held = False

    def cast_off(self) -> int:
        return 0

    def land(self, partitions: object) -> int:
        return 0

    async def join(self) -> None:
        self.running = asyncio.create_task(self.transactions.run())
        await self.consumer.start(self.rebalance)
        self.member = True

    async def take(self, most: int) -> None:
        if self.held:
            return
        for record in await self.consumer.take(most, 0.0):
            where = Partition(*record.coordinates[:2])
            if assignment := self.assignments.get(where):
                self.budget.take(1)
                entry = assignment.ledger.admit(record.coordinates.offset, 1, 0.0)
                self.waiting.append((record, entry))

    def complete(self, pick: int) -> None:
        if self.waiting:
            record, entry = self.waiting.pop(pick % len(self.waiting))
            self.decided.reject(record, entry, NO_EVENT)
