"""Settle: what is settled is committed, on a timer and whenever partitions go."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

import structlog

from afterguard.contracts.errors import StreamUnavailable
from afterguard.stream.assignments import Assignments
from afterguard.stream.ports import Consumer, Partition

_log = structlog.get_logger(__name__)

_FAILURES = 20
_LOOK_S = 0.02


class Settle:
    """Commits settled positions.

    Args:
        consumer: The log.
        assignments: The partitions that are ours.
        interval_s: Between two commits, seconds.
        clock: Monotonic seconds.
        sleep: As `asyncio.sleep`.
    """

    def __init__(
        self,
        consumer: Consumer,
        assignments: Assignments,
        *,
        interval_s: float,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._consumer, self._assignments = consumer, assignments
        self._interval_s = interval_s
        self._clock, self._sleep = clock, sleep
        self._one_at_a_time = asyncio.Lock()
        self._failures = 0

    async def run(self) -> None:
        """Commit on the timer until cancelled; the last events of a lull are not forgotten.

        Raises:
            StreamUnavailable: The broker answered none of many commits in a row.
        """
        while True:
            await self._sleep(self._interval_s)
            await self.commit()

    async def commit(self) -> None:
        """Commit whatever has moved.

        Raises:
            StreamUnavailable: The broker answered none of many commits in a row.
        """
        async with self._one_at_a_time:
            positions = self._assignments.uncommitted()
            if not positions:
                return
            try:
                counted = await self._consumer.commit(positions)
            except StreamUnavailable as error:
                self._failures += 1
                _log.warning("commit failed; it is tried again", failures=self._failures)
                if self._failures >= _FAILURES:
                    raise StreamUnavailable(
                        f"{self._failures} commits in a row failed; kafka.bootstrap_servers may "
                        "be gone"
                    ) from error
                return
            self._failures = 0
            if counted:
                self._assignments.mark_committed(positions)
            else:
                _log.warning("the group has moved on; this commit does not count")

    async def finish(self, partitions: Sequence[Partition] | None, deadline: float) -> int:
        """Wait for what is in flight, then commit.

        Args:
            partitions: Of these; of all when None.
            deadline: Monotonic seconds; what is in flight then is left behind.

        Returns:
            Events left behind; another owner will read them again.
        """
        while self._assignments.in_flight(partitions) and self._clock() < deadline:
            await self._sleep(_LOOK_S)
        await self.commit()
        return self._assignments.in_flight(partitions)
