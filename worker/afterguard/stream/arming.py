"""Arming: before a partition is read, every earlier owner is fenced off from it.

The order is the promise. First the partition is paused; then a producer with the partition's
transactional id is started, which fences whoever wrote under it before and ends what he left open;
only then is the committed offset read, for now nobody else can move it; reading goes on there. If
there is none, the beginning is committed in a transaction of its own, which the same fence guards:
whoever counts the lag by commits, as KEDA does, counts from the first offset there ever was before.

Starting producers takes a moment, and no heartbeat is sent within aiokafka's callback, so it
happens in tasks that the callback leaves behind.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import Final

import structlog

from afterguard.contracts.errors import StreamError, StreamUnavailable
from afterguard.delivery.retry import RetrySchedule
from afterguard.stream.endings import Endings
from afterguard.stream.ports import Consumer, Partition, TransactionalProducer
from afterguard.stream.transaction import transact

_log = structlog.get_logger(__name__)

_ATTEMPTS: Final = 8

MakeProducer = Callable[[Partition], TransactionalProducer]
Armed = Callable[[Partition, TransactionalProducer, int], None]
Unarmed = Callable[[Partition, Exception], None]


class Arming:
    """Arms the partitions of the present assignment.

    Args:
        consumer: The log to read from.
        make: Makes the producer of a partition.
        endings: Takes producers that are done with.
        limit_s: How long one attempt may take, seconds.
        sleep: As `asyncio.sleep`.
    """

    def __init__(
        self,
        consumer: Consumer,
        make: MakeProducer,
        endings: Endings,
        *,
        limit_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._consumer, self._make, self._endings = consumer, make, endings
        self._limit_s, self._sleep = limit_s, sleep
        self._schedule = RetrySchedule(attempts=_ATTEMPTS, base_s=0.2, cap_s=5.0)
        self._generation = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, partitions: Sequence[Partition], armed: Armed, unarmed: Unarmed) -> None:
        """Arm these, all at once; what is still under way for an earlier assignment is given up.

        Args:
            partitions: They stay paused until they are armed.
            armed: Called without an await between it and the first record: the producer, and the
                offset from which records come.
            unarmed: Called when a partition cannot be armed; it stays paused.
        """
        self._consumer.pause(partitions)
        self.give_up()
        for partition in partitions:
            self._spawn(partition, 0.0, armed, unarmed)

    def again(self, partition: Partition, wait_s: float, armed: Armed, unarmed: Unarmed) -> None:
        """Arm one anew within the same assignment, after a wait."""
        self._consumer.pause([partition])
        self._spawn(partition, wait_s, armed, unarmed)

    def give_up(self) -> None:
        """The assignment is over: whatever is under way arms nothing any more."""
        self._generation += 1
        for task in self._tasks:
            if not task.cancelling():
                task.cancel()

    async def given_up(self, timeout_s: float | None = None) -> None:
        """Wait until what was given up holds no connection, or the time is over."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=timeout_s)

    @property
    def under_way(self) -> int:
        """Partitions that are being armed."""
        return len(self._tasks)

    def _spawn(self, partition: Partition, wait_s: float, armed: Armed, unarmed: Unarmed) -> None:
        task = asyncio.create_task(
            self._arm(partition, wait_s, armed, unarmed), name=f"arming {partition}"
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _arm(
        self, partition: Partition, wait_s: float, armed: Armed, unarmed: Unarmed
    ) -> None:
        generation = self._generation
        await self._sleep(wait_s)
        for attempt in count(1):
            producer = self._make(partition)
            try:
                offset = await self._position(partition, producer)
                if generation == self._generation:
                    self._consumer.seek(partition, offset)
                    armed(partition, producer, offset)
                    self._consumer.resume([partition])
                else:
                    self._endings.add(producer)
                return
            except StreamError as error:
                self._endings.add(producer)
                if not isinstance(error, StreamUnavailable) or attempt >= _ATTEMPTS:
                    unarmed(partition, error)
                    return
                _log.warning(
                    "a partition could not be armed; it is tried again",
                    partition=str(partition),
                    error=str(error),
                )
            except Exception as error:  # noqa: BLE001 (a partition must not stay paused unsaid)
                self._endings.add(producer)
                unarmed(partition, error)
                return
            except BaseException:
                self._endings.add(producer)
                raise
            # One start of an id at a time: of two that overlap, the older may win.
            await self._endings.ended()
            await self._sleep(self._schedule.wait_s(attempt, left_s=None) or 0.0)

    async def _position(self, partition: Partition, producer: TransactionalProducer) -> int:
        try:
            async with asyncio.timeout(self._limit_s):
                await producer.start()
                # Not before: until then an earlier owner may still move it.
                offset = (await self._consumer.committed([partition]))[partition]
                if offset is None:
                    offset = (await self._consumer.beginnings([partition]))[partition]
                    await transact(producer, (), (partition, offset), limit_s=self._limit_s)
                return offset
        except TimeoutError as error:
            raise StreamUnavailable(f"no answer within {self._limit_s:g} s") from error
