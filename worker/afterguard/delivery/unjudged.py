"""Unjudged: since when the oldest event without a verdict waits, without a look at all of them.

Records stand in a partition nearly in the order of their times, so one row that is looked at from
its head does for most. What is older than the last of the row waits in a heap beside it. An event
that was judged is not searched for: it is dropped when it comes to the head.
"""

from collections import deque
from heapq import heapify, heappop, heappush

from afterguard.delivery.ledger import Entry, Stage

_LOOSE = 1024


class Unjudged:
    """The events of one partition and lane that may have no verdict yet."""

    __slots__ = ("_heap", "_most", "_row")

    def __init__(self) -> None:
        self._row: deque[tuple[int, Entry]] = deque()
        # Offsets make equals differ: entries cannot be compared.
        self._heap: list[tuple[int, int, Entry]] = []
        self._most = _LOOSE

    def add(self, time_ms: int, entry: Entry) -> None:
        """Take in an event.

        Args:
            time_ms: Of its record, milliseconds since the epoch.
            entry: Its place in the ledger.
        """
        row = self._row
        if not row or time_ms >= row[-1][0]:
            row.append((time_ms, entry))
        else:
            heappush(self._heap, (time_ms, entry.offset, entry))

    def oldest(self) -> int | None:
        """The time of the oldest that has no verdict, as it was given; None when all have one."""
        row, heap = self._row, self._heap
        while row and row[0][1].stage is not Stage.ADMITTED:
            row.popleft()
        while heap and heap[0][2].stage is not Stage.ADMITTED:
            heappop(heap)
        if len(row) + len(heap) > self._most:
            self._drop_judged()
        times = [it[0][0] for it in (row, heap) if it]
        return min(times, default=None)

    def __len__(self) -> int:
        return len(self._row) + len(self._heap)

    def _drop_judged(self) -> None:
        # Behind one that is never judged all others would be kept. The next time is at twice as
        # many, so each is looked at a few times at most.
        self._row = deque(it for it in self._row if it[1].stage is Stage.ADMITTED)
        self._heap = [it for it in self._heap if it[2].stage is Stage.ADMITTED]
        heapify(self._heap)
        self._most = 2 * len(self) + _LOOSE
