"""The stuck watch: tells when the oldest event of a partition has stood still for too long.

It changes nothing. A partition that is idle, or slow but moving, is never told of.
"""

import asyncio
from collections.abc import Callable
from time import monotonic

import structlog

from afterguard.contracts.coordinates import Coordinates
from afterguard.health.why import Place, Why
from afterguard.health.why_report import PartitionReport
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_TOLD_EVERY_S = 60.0


class StuckWatch:
    """Looks now and then, counts what is stuck, and tells of each once a minute.

    Args:
        why: Knows what stands still, and where.
        metrics: Where it is counted.
        interval_s: Between two looks, seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        why: Why,
        metrics: Metrics,
        *,
        interval_s: float = 1.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._why, self._metrics = why, metrics
        self._interval_s, self._clock = interval_s, clock
        self._told_at: dict[Place, float] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._interval_s)

    def look(self) -> None:
        """One look."""
        stuck, now = self._why.look(), self._clock()
        self._metrics.stuck_partitions.set(len(stuck))
        self._told_at = {it: at for it, at in self._told_at.items() if it in stuck}
        due = [it for it in stuck if now - self._told_at.get(it, -_TOLD_EVERY_S) >= _TOLD_EVERY_S]
        if not due:
            return
        report = self._why.report({number for _, number in due})
        for partition in report.partitions:
            self._told_at[partition.topic, partition.partition] = now
            _tell(partition, report.intake_held)


def _tell(partition: PartitionReport, held: tuple[str, ...]) -> None:
    oldest = partition.oldest
    if oldest is None:
        return
    _log.warning(
        "a partition is stuck: this record holds its commit back",
        coordinates=str(Coordinates(partition.topic, partition.partition, oldest.offset)),
        room=oldest.room.value,
        in_room_s=round(oldest.in_room_s, 1),
        age_s=round(oldest.age_s, 1),
        still_s=round(oldest.still_s, 1),
        attempts=oldest.attempts,
        in_flight=partition.in_flight,
        settled_behind=partition.settled_behind,
        intake_held=list(held),
    )
