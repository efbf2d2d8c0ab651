"""Stall: records lie unread, nothing holds them back, and yet none comes.

A member of a group can keep its place and read nothing (aiokafka issue 847), and nothing in the
client says so. From outside it shows: the end of a partition is beyond the position, and the
position does not move.
"""

from collections.abc import Mapping
from typing import NamedTuple

from afterguard.delivery.stuck import Standstill
from afterguard.stream.ports import Partition


class Reading(NamedTuple):
    """How far one partition is read.

    Attributes:
        position: The next offset to read; None when the client does not know it.
        end: The offset that the next record will get.
        held: Whether we hold the partition back ourselves.
    """

    position: int | None
    end: int
    held: bool

    @property
    def behind(self) -> bool:
        """Whether there is something that should come and has not."""
        return not self.held and self.end > (self.position or 0)


class Stall:
    """The rule, over looks that are taken now and then.

    Args:
        limit_s: How long a partition may be behind without moving, seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self._standstill: Standstill[Partition] = Standstill(limit_s)

    def look(self, readings: Mapping[Partition, Reading], now: float) -> list[Partition]:
        """Take in one look.

        Args:
            readings: Of all partitions that are ours; what is missing is forgotten.
            now: Monotonic seconds.

        Returns:
            The partitions that stand still: behind at every look for `limit_s`, at one position.
        """
        behind = {it: reading.position for it, reading in readings.items() if reading.behind}
        return self._standstill.look(behind, now)
