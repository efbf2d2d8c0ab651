"""Rebalance: partitions come and go, and nothing is lost between two owners."""

from collections.abc import Callable, Sequence
from time import monotonic

import structlog

from afterguard.contracts.errors import StreamUnavailable
from afterguard.stream.assignments import Assignments
from afterguard.stream.intake import Intake
from afterguard.stream.ports import Partition
from afterguard.stream.settle import Settle

_log = structlog.get_logger(__name__)


class Rebalance:
    """Listens to the group; see `stream.ports.AssignmentListener`.

    Args:
        assignments: The partitions that are ours.
        intake: Held while partitions go.
        settle: Commits before they go.
        withdraw: Ends the judging of events whose partition is gone.
        grace_s: How long what is in flight may take to finish, seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        assignments: Assignments,
        intake: Intake,
        settle: Settle,
        *,
        withdraw: Callable[[], int],
        grace_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._assignments, self._intake, self._settle = assignments, intake, settle
        self._withdraw, self._grace_s, self._clock = withdraw, grace_s, clock

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """Open a ledger for each."""
        self._assignments.open(partitions)
        self._intake.release()
        _log.info("partitions assigned", partitions=[str(it) for it in partitions])

    async def revoked(self, partitions: Sequence[Partition]) -> None:
        """Finish what is in flight within the grace, commit, then let go."""
        if not partitions:
            return
        self._intake.hold()
        left = 0
        try:
            left = await self._settle.finish(partitions, self._clock() + self._grace_s)
        except StreamUnavailable:
            _log.warning("the last commit before partitions went did not reach the broker")
        finally:
            # Whatever happened: a ledger kept beyond this point would spoil every later commit.
            self._assignments.close(partitions)
            ended = self._withdraw()
            _log.info(
                "partitions revoked",
                partitions=[str(it) for it in partitions],
                given_back=left,
                requests_ended=ended,
            )
