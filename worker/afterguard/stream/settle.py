"""Settle under at least once: what is settled is committed, on a timer and when partitions go."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum, auto
from time import monotonic

import structlog

from afterguard.contracts.errors import StreamUnavailable
from afterguard.delivery.ledger import Ledger, Passed
from afterguard.stream.assignments import Assignments
from afterguard.stream.ports import Consumer, Partition
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_FAILURES = 20
_REFUSED_S = 60.0
_LOOK_S = 0.02


class Commit(Enum):
    """What became of a commit."""

    NOTHING_TO_DO = auto()
    COUNTED = auto()
    REFUSED = auto()
    UNANSWERED = auto()


class Settle:
    """Commits settled positions; see `stream.guarantee.Settling`.

    Args:
        consumer: The log.
        assignments: The partitions that are ours.
        interval_s: Between two commits, seconds.
        metrics: Where what is committed is counted; its own when None.
        clock: Monotonic seconds.
        sleep: As `asyncio.sleep`.
    """

    def __init__(
        self,
        consumer: Consumer,
        assignments: Assignments,
        *,
        interval_s: float,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._consumer, self._assignments = consumer, assignments
        self._interval_s = interval_s
        self._room = (metrics or Metrics()).rooms.settle
        self._clock, self._sleep = clock, sleep
        self._one_at_a_time = asyncio.Lock()
        self._failures = 0
        self._refused_since: float | None = None

    async def run(self) -> None:
        """Commit on the timer until cancelled; the last events of a lull are not forgotten.

        Raises:
            StreamUnavailable: As `commit`.
        """
        while True:
            await self._sleep(self._interval_s)
            await self.commit()

    async def commit(self) -> Commit:
        """Commit whatever has moved, and where reading began if nothing was committed before.

        Whoever counts the lag by commits counts from the first offset there ever was until there
        is one; KEDA does.

        Raises:
            StreamUnavailable: The broker answered none of many commits in a row, or has refused
                all of them for a minute.
        """
        async with self._one_at_a_time:
            positions = self._assignments.uncommitted(self._consumer.begun())
            if not positions:
                self._refused_since = None
                return Commit.NOTHING_TO_DO
            passed = self._passed(positions)
            try:
                counted = await self._consumer.commit(positions)
            except StreamUnavailable as error:
                self._failures += 1
                self._count(passed, counted=False)
                _log.warning("commit failed; it is tried again", failures=self._failures)
                if self._failures >= _FAILURES:
                    raise StreamUnavailable(
                        f"{self._failures} commits in a row failed; kafka.bootstrap_servers may "
                        "be gone"
                    ) from error
                return Commit.UNANSWERED
            self._failures = 0
            self._count(passed, counted=counted)
            if counted:
                self._refused_since = None
                self._assignments.mark_committed(positions)
                return Commit.COUNTED
            self._refused()
            return Commit.REFUSED

    def _passed(self, positions: Iterable[Partition]) -> list[tuple[Ledger, Passed]]:
        held = (self._assignments.get(it) for it in positions)
        return [(it.ledger, it.ledger.passed) for it in held if it is not None]

    def _count(self, passed: Iterable[tuple[Ledger, Passed]], *, counted: bool) -> None:
        now, room = self._clock(), self._room
        for ledger, (events, since) in passed:
            if counted:
                ledger.committed(Passed(events, since))
                room.left(events * now - since, events)
            else:
                # Their time is counted with the commit that takes them.
                room.failed(0.0, events)

    def _refused(self) -> None:
        # A rebalance takes the partitions away within seconds. When it does not, this member is
        # stuck outside its group and only a fresh start mends that.
        now = self._clock()
        if self._refused_since is None:
            self._refused_since = now
        _log.warning("the group has moved on; this commit does not count")
        if now - self._refused_since >= _REFUSED_S:
            raise StreamUnavailable(
                f"the group has refused every commit for {_REFUSED_S:g} s and takes no partition "
                "away; this member is stuck outside it"
            )

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """Open a ledger for each."""
        self._assignments.open(partitions)

    async def finish(
        self, partitions: Sequence[Partition] | None, *, wait_until: float, end_by: float
    ) -> int:
        """See `stream.guarantee.Settling.finish`."""
        while self._assignments.in_flight(partitions) and self._clock() < wait_until:
            await self._sleep(_LOOK_S)
        while await self._last_commit(end_by) is Commit.UNANSWERED and self._clock() < end_by:
            await self._sleep(_LOOK_S)
        return self._assignments.in_flight(partitions)

    def close(self, partitions: Sequence[Partition]) -> int:
        """See `stream.guarantee.Settling.close`."""
        return self._assignments.close(partitions)

    async def closed(self, end_by: float) -> None:
        """Nothing is connected for a partition."""

    async def stop(self) -> None:
        """Nothing is connected for a partition."""

    async def _last_commit(self, end_by: float) -> Commit:
        try:
            async with asyncio.timeout(max(0.0, end_by - self._clock())):
                return await self.commit()
        except TimeoutError:
            _log.warning("the last commit did not end in time; its events will be judged again")
            return Commit.UNANSWERED
