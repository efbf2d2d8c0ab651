"""Transactions: exactly once, by one transactional producer for each partition that is ours.

Every interval, each partition's decided prefix and the offset behind it are written in one
transaction. After any error the producer and the ledger are given up and the partition is read
again from its committed offset, whatever that turns out to be. After a fence somebody else owns
the partition: it stays paused until the group assigns it anew, and a group that does not is left.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog

from afterguard.contracts.errors import Fenced, StreamError, StreamUnavailable
from afterguard.stream.arming import Arming
from afterguard.stream.assignments import Assignment, Assignments
from afterguard.stream.endings import Endings
from afterguard.stream.ports import Consumer, Partition, TransactionalProducer
from afterguard.stream.transaction import transact
from afterguard.stream.transactional_publish import Decided, TransactionalPublish

_log = structlog.get_logger(__name__)

_FAILURES: Final = 5
_LOOK_S: Final = 0.02


@dataclass(slots=True, eq=False)
class _Armed:
    """A partition that is ours to write for, and the transaction under way, if any."""

    assignment: Assignment
    producer: TransactionalProducer
    turn: asyncio.Task[None] | None = None

    @property
    def partition(self) -> Partition:
        return self.assignment.partition


@dataclass(frozen=True, slots=True)
class Pace:
    """How often, and how patient.

    Attributes:
        interval_s: Between two transactions of a partition, seconds.
        max_events: Most events in one transaction.
        limit_s: How long one may take, and one attempt to arm a partition, seconds.
        heartbeat_s: Between two heartbeats of the group, seconds: until then a member may not
            know that it was thrown out.
    """

    interval_s: float
    max_events: int
    limit_s: float
    heartbeat_s: float


class Transactions:
    """Writes what is decided and commits it; see `stream.guarantee.Settling`.

    Args:
        consumer: The log to read from.
        make: Makes the producer of a partition.
        assignments: The partitions that are ours.
        decided: Keeps what may be written.
        pace: How often, and how patient.
        cast_off: Told when events of a partition lost their owner, which will be read again.
        clock: Monotonic seconds.
        sleep: As `asyncio.sleep`.
    """

    def __init__(
        self,
        consumer: Consumer,
        make: Callable[[Partition], TransactionalProducer],
        assignments: Assignments,
        decided: TransactionalPublish,
        *,
        pace: Pace,
        cast_off: Callable[[], int],
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._consumer, self._assignments, self._decided = consumer, assignments, decided
        self._pace, self._cast_off = pace, cast_off
        self._clock, self._sleep = clock, sleep
        self._endings = Endings()
        self._arming = Arming(consumer, make, self._endings, limit_s=pace.limit_s, sleep=sleep)
        self._armed: dict[Partition, _Armed] = {}
        self._fenced: dict[Partition, float] = {}
        self._failures: dict[Partition, int] = {}
        self._failure: Exception | None = None
        self._going = self._stopped = False

    async def run(self) -> None:
        """Begin transactions on the timer, and whenever many events wait, until cancelled.

        Raises:
            PublishFailed: The log refused a record; its event stays unsettled.
            Fenced: Somebody else owns a partition, and the group does not take it from us.
            StreamUnavailable: A partition could not be armed, or its transactions fail each time.
        """
        while True:
            self._look(self._armed.values())
            self._raise_failure()
            try:
                async with asyncio.timeout(self._pace.interval_s):
                    await self._decided.full.wait()
            except TimeoutError:
                pass

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """Arm these; they stay paused until then."""
        self.close(list(self._armed))
        self._fenced.clear()
        self._failures.clear()
        self._going = False
        if self._stopped:
            self._consumer.pause(partitions)
        else:
            self._arming.begin(partitions, self._armed_at, self._unarmed)

    async def finish(
        self, partitions: Sequence[Partition] | None, *, wait_until: float, end_by: float
    ) -> int:
        """See `stream.guarantee.Settling.finish`."""
        self._going = True
        self._arming.give_up()
        if partitions is None:
            self._stopped = True
        while self._assignments.in_flight(partitions) and self._clock() < wait_until:
            self._look(self._chosen(partitions))
            await self._sleep(_LOOK_S)
        while turns := self._turns(partitions):
            left = end_by - self._clock()
            if left <= 0:
                _log.warning("the last transactions did not end in time", partitions=len(turns))
                break
            await asyncio.wait(turns, timeout=left)
        return self._assignments.in_flight(partitions)

    def close(self, partitions: Sequence[Partition]) -> int:
        """See `stream.guarantee.Settling.close`."""
        self._arming.give_up()
        abandoned = self._assignments.close(partitions)
        for partition in partitions:
            self._fenced.pop(partition, None)
            if armed := self._armed.pop(partition, None):
                self._put_away(armed)
        self._decided.forget_abandoned()
        return abandoned

    async def closed(self, end_by: float) -> None:
        """See `stream.guarantee.Settling.closed`."""
        await self._arming.given_up(max(0.0, end_by - self._clock()))
        await self._endings.ended(max(0.0, end_by - self._clock()))

    async def stop(self) -> None:
        """See `stream.guarantee.Settling.stop`."""
        self._stopped = True
        self.close(list(self._armed))
        await self._arming.given_up()
        await self._endings.ended()

    def _chosen(self, partitions: Sequence[Partition] | None) -> list[_Armed]:
        if partitions is None:
            return list(self._armed.values())
        return [it for partition in partitions if (it := self._armed.get(partition))]

    def _turns(self, partitions: Sequence[Partition] | None) -> set[asyncio.Task[None]]:
        self._look(chosen := self._chosen(partitions))
        return {it.turn for it in chosen if it.turn is not None}

    def _look(self, chosen: Iterable[_Armed]) -> None:
        """Begin a turn of each partition that has something to write and none under way."""
        self._decided.look()
        for armed in list(chosen):
            if armed.turn is None and self._next(armed):
                armed.turn = asyncio.create_task(
                    self._turn(armed), name=f"transaction {armed.partition}"
                )

    def _next(self, armed: _Armed) -> list[Decided]:
        return self._decided.prefix(armed.assignment.ledger, self._pace.max_events)

    async def _turn(self, armed: _Armed) -> None:
        try:
            while events := self._next(armed):
                await self._write(armed, events)
                if len(events) < self._pace.max_events:
                    break
        except StreamError as error:
            self._broken(armed, error)
        except Exception as error:  # noqa: BLE001 (raised by `run`)
            self._give_up(armed)
            self._fail(error)
        finally:
            armed.turn = None

    async def _write(self, armed: _Armed, events: Sequence[Decided]) -> None:
        position = events[-1].entry.offset + 1
        self._decided.taken(events)
        try:
            await transact(
                armed.producer,
                [record for event in events for record in event.records],
                (armed.partition, position),
                limit_s=self._pace.limit_s,
            )
        except StreamError:
            self._decided.refused(events)
            raise
        self._decided.committed(events)
        armed.assignment.committed = position
        self._failures.pop(armed.partition, None)

    def _broken(self, armed: _Armed, error: StreamError) -> None:
        partition = armed.partition
        if self._armed.get(partition) is not armed:
            return
        _log.warning(
            "a transaction failed; what it held is judged again where it does not count",
            partition=str(partition),
            error=type(error).__name__,
            detail=str(error),
        )
        self._give_up(armed)
        if isinstance(error, Fenced):
            self._fenced[partition] = self._clock()
        elif not isinstance(error, StreamUnavailable):
            self._fail(error)
        else:
            failures = self._failures[partition] = self._failures.get(partition, 0) + 1
            if failures >= _FAILURES:
                self._fail(error)
            elif not self._going:
                # One that was thrown out of its group learns so by its next heartbeat; until
                # then it might fence off the rightful owner.
                wait_s = self._pace.heartbeat_s
                self._arming.again(partition, wait_s, self._armed_at, self._unarmed)

    def _give_up(self, armed: _Armed) -> None:
        """Let go of a partition that is still assigned to us; it stays paused."""
        partition = armed.partition
        if self._armed.get(partition) is armed:
            self._consumer.pause([partition])
            del self._armed[partition]
            self._assignments.close([partition])
            self._decided.forget_abandoned()
            self._cast_off()
            self._put_away(armed)

    def _put_away(self, armed: _Armed) -> None:
        turn = armed.turn if armed.turn is not asyncio.current_task() else None
        if turn is not None:
            turn.cancel()
        self._endings.add(armed.producer, turn)

    def _armed_at(self, partition: Partition, producer: TransactionalProducer, offset: int) -> None:
        # A record from before it would be written twice; the ledger does not take it.
        self._assignments.open([partition], first_offset=offset)
        assignment = self._assignments.get(partition)
        assert assignment is not None
        assignment.committed = offset
        self._armed[partition] = _Armed(assignment, producer)
        _log.info("partition armed", partition=str(partition), offset=offset)

    def _unarmed(self, partition: Partition, error: Exception) -> None:
        if isinstance(error, Fenced):
            self._fenced[partition] = self._clock()
        else:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._decided.full.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._going:  # and so is the partition
            return
        patience_s = 2 * self._pace.heartbeat_s + self._pace.interval_s
        for partition, since in self._fenced.items():
            if self._clock() - since >= patience_s:
                raise Fenced(
                    f"another worker writes for {partition}, and the group took it from this one "
                    f"neither before nor within {patience_s:.1f} s"
                )
