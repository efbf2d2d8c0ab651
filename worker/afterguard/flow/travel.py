"""Travel: work in flight whose partition was taken away, kept in case it comes back.

A rebalance takes every partition from every member and gives most of them back a moment later.
What is at the engine then goes on without an owner. When its record is read again under the new
assignment the judgement is there already, or on its way, and nobody is asked twice.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from afterguard.contracts.coordinates import Coordinates
from afterguard.delivery.ledger import Stage
from afterguard.flow.admit import Admission
from afterguard.flow.findings import Finding

_SWEEP_FROM = 256


@dataclass(slots=True)
class CastOff:
    """One event's work without an owner.

    Attributes:
        admission: As it was when it was first read; its entry moves nothing any more.
        findings: What was found; None while it is at the judge.
        until: Monotonic seconds after which it is given up.
    """

    admission: Admission
    findings: list[Finding] | None
    until: float

    def fits(self, again: Admission) -> bool:
        """Whether this is work on that event: the same record under the same policies."""
        mine = self.admission
        return mine.record == again.record and mine.policies == again.policies


class Travel:
    """Keeps work by the coordinates of its record.

    Args:
        limit_s: How long it is kept without an owner, seconds.
        limit_events: How much of it is kept; the oldest is given up first.
    """

    def __init__(self, *, limit_s: float, limit_events: int) -> None:
        self._limit_s, self._limit_events = limit_s, limit_events
        self._adrift: dict[Coordinates, CastOff] = {}
        self._judged: deque[tuple[Admission, list[Finding]]] = deque()
        self._sweep_at = _SWEEP_FROM

    def judged(self, admission: Admission, findings: list[Finding]) -> None:
        """Remember what was found until it is settled: it may have to be said again."""
        judged = self._judged
        judged.append((admission, findings))
        while judged and judged[0][0].entry.stage is Stage.SETTLED:
            judged.popleft()
        # One that is settled late, as an intervention that waits for its turn, keeps those behind.
        if len(judged) >= self._sweep_at:
            self._forget_settled()
            # A share of what is left, so that looking through all costs little for each.
            self._sweep_at = len(self._judged) + max(_SWEEP_FROM, len(self._judged) // 4)

    def cast_off(self, running: Iterable[Admission], now: float) -> tuple[int, list[Admission]]:
        """Take over the work whose partition is gone.

        Args:
            running: What is at the judge.
            now: Monotonic seconds.

        Returns:
            How many were taken over, and those to be ended because there are too many.
        """
        self._forget_settled()
        before = {id(it.admission) for it in self._adrift.values()}
        gone = [it for it in self._judged if not it[0].entry.live]
        self._judged = deque(it for it in self._judged if it[0].entry.live)
        works: list[tuple[Admission, list[Finding] | None]] = [*gone]
        works += [(it, None) for it in running if not it.entry.live and id(it) not in before]
        for admission, findings in works:
            coordinates = admission.record.coordinates
            # To the end of the row: what was cast off last is the likeliest to be read again.
            self._adrift.pop(coordinates, None)
            self._adrift[coordinates] = CastOff(admission, findings, now + self._limit_s)
        excess = max(0, len(self._adrift) - self._limit_events)
        return len(works), [self._give_up(it) for it in list(self._adrift)[:excess]]

    def land(self, partitions: Collection[tuple[str, int]]) -> list[Admission]:
        """Give up all work that is not of these partitions; it is returned to be ended."""
        elsewhere = [it for it in self._adrift if it[:2] not in partitions]
        return [self._give_up(it) for it in elsewhere]

    def overdue(self, now: float) -> list[Admission]:
        """Give up the work that nobody read again in time; it is returned to be ended."""
        self._forget_settled()
        late = [where for where, it in self._adrift.items() if it.until <= now]
        return [self._give_up(it) for it in late]

    def drop(self) -> None:
        """Keep nothing of partitions that went: they will not come back to us."""
        self._adrift.clear()
        self._judged = deque(it for it in self._judged if it[0].entry.live)

    def found(self, admission: Admission, findings: list[Finding] | None) -> None:
        """The work came to its end without an owner: with findings, or broken off."""
        coordinates = admission.record.coordinates
        work = self._adrift.get(coordinates)
        if work is None or work.admission is not admission or work.findings is not None:
            return
        if findings is None:
            del self._adrift[coordinates]
        else:
            work.findings = findings

    def take(self, coordinates: Coordinates) -> CastOff | None:
        """The work on this record, which is no longer kept here; None when there is none."""
        return self._adrift.pop(coordinates, None)

    def __len__(self) -> int:
        return len(self._adrift)

    def _forget_settled(self) -> None:
        self._judged = deque(it for it in self._judged if it[0].entry.stage is not Stage.SETTLED)

    def _give_up(self, coordinates: Coordinates) -> Admission:
        return self._adrift.pop(coordinates).admission
