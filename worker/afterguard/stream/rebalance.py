"""Rebalance: partitions come and go, and nothing is lost between two owners."""

from collections.abc import Callable, Collection, Sequence
from time import monotonic
from typing import Protocol

import structlog

from afterguard.contracts.errors import StreamError
from afterguard.stream.guarantee import Settling
from afterguard.stream.intake import Intake
from afterguard.stream.ports import Partition
from afterguard.stream.settings import LAST_COMMIT_S

_log = structlog.get_logger(__name__)


class Travelling(Protocol):
    """Work in flight as a rebalance sees it; `flow.dispatch.Dispatch` is it."""

    def cast_off(self) -> int:
        """Let the work of partitions whose ledger is closed go on; returns how much there is."""
        ...

    def land(self, partitions: Collection[tuple[str, int]]) -> int:
        """End such work that is of none of these; returns how much there was."""
        ...


class Rebalance:
    """Listens to the group; see `stream.ports.AssignmentListener`.

    Args:
        intake: Held while partitions go.
        settle: Lets offsets advance before they go.
        travelling: Work in flight, which goes on for a while in case its partition comes back.
        grace_s: How long what is in flight may take to finish, seconds. All of a revoke takes
            `LAST_COMMIT_S` longer at most.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        intake: Intake,
        settle: Settling,
        travelling: Travelling,
        *,
        grace_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._intake, self._settle, self._travelling = intake, settle, travelling
        self._grace_s, self._clock = grace_s, clock

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """Begin anew with these."""
        self._settle.assigned(partitions)
        self._travelling.cast_off()
        ended = self._travelling.land(partitions)
        self._intake.release()
        _log.info(
            "partitions assigned",
            partitions=[str(it) for it in partitions],
            requests_ended=ended,
        )

    async def revoked(self, partitions: Sequence[Partition]) -> None:
        """Finish what is in flight within the grace, let the offsets advance, then let go."""
        if not partitions:
            return
        self._intake.hold()
        wait_until = self._clock() + self._grace_s
        end_by = wait_until + LAST_COMMIT_S
        left = 0
        try:
            left = await self._settle.finish(partitions, wait_until=wait_until, end_by=end_by)
        except StreamError as error:
            _log.warning(
                "the last commit before partitions went did not count", error=type(error).__name__
            )
        finally:
            # Whatever happened: a ledger kept beyond this point would spoil every later commit.
            self._settle.close(partitions)
            _log.info(
                "partitions revoked",
                partitions=[str(it) for it in partitions],
                given_back=left,
                requests_go_on=self._travelling.cast_off(),
            )
        await self._settle.closed(end_by)
