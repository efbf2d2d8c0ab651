"""Why: which record holds each partition's commit back, in which room, since when.

Nothing is kept for it while events go by, for they are many and questions are few: where a record
is, is found at the time of asking, by looking into each room.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from time import monotonic
from typing import Any, NamedTuple, Protocol

from afterguard.contracts.errors import BadQuestion
from afterguard.delivery.budget import BudgetStatistics
from afterguard.delivery.ledger import Entry, Ledger, Stage
from afterguard.delivery.order import KeyOrder
from afterguard.delivery.stuck import Standstill
from afterguard.flow.admit import Admission
from afterguard.health.why_report import Oldest, PartitionReport, Room, WhyReport

Place = tuple[str, int]


class Held(Protocol):
    """One partition that is ours."""

    @property
    def partition(self) -> Place:
        """Topic and number."""
        ...

    @property
    def ledger(self) -> Ledger:
        """What was taken in."""
        ...

    @property
    def order(self) -> KeyOrder[Any]:
        """Interventions that wait for an earlier one."""
        ...

    @property
    def committed(self) -> int | None:
        """The last position that was committed."""
        ...


class Flow(Protocol):
    """What is judged or waits for it."""

    def in_lanes(self) -> Collection[Admission]:
        """Events that wait for the judge."""
        ...

    def at_judge(self) -> Collection[Admission]:
        """Events that are being judged."""
        ...


class Outbox(Protocol):
    """What is written or waits for it."""

    def queued(self) -> Collection[Entry]:
        """Events of which a record was not handed to the log yet."""
        ...

    def held_back(self, order: KeyOrder[Any]) -> Collection[Entry]:
        """Events whose intervention waits for an earlier one of its conversation."""
        ...


class Phase(NamedTuple):
    """How the worker as a whole stands."""

    started: bool
    draining: bool
    intake_held: Collection[str]
    budget: BudgetStatistics
    lag: Mapping[Any, int]


class _Where(NamedTuple):
    room: Room
    since: float
    admission: Admission | None = None


class Why:
    """Answers the question.

    Args:
        held: The partitions that are ours.
        flow: What is judged.
        outbox: What is written.
        phase: How the worker as a whole stands.
        stuck_after_s: An oldest record that stands still for so long is stuck, seconds.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        held: Iterable[Held],
        flow: Flow,
        outbox: Outbox,
        *,
        phase: Callable[[], Phase],
        stuck_after_s: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._held, self._flow, self._outbox, self._phase = held, flow, outbox, phase
        self._clock = clock
        self._oldest: Standstill[Place] = Standstill(stuck_after_s)
        self._commits: Standstill[Place] = Standstill(stuck_after_s)

    def look(self) -> list[Place]:
        """See what has moved since the last look.

        Returns:
            The partitions that are stuck.
        """
        now = self._clock()
        self._commits.look({it.partition: it.committed for it in self._held if _lags(it)}, now)
        return self._oldest.look(
            {it.partition: oldest for it in self._held if (oldest := it.ledger.oldest)}, now
        )

    def report(self, only: Collection[int] | None = None) -> WhyReport:
        """How everything stands.

        Args:
            only: Numbers of the partitions to tell about; all that are ours when None.
        """
        stuck = set(self.look())
        now, phase = self._clock(), self._phase()
        chosen = [it for it in self._held if only is None or it.partition[1] in only]
        places = self._places()
        return WhyReport(
            started=phase.started,
            draining=phase.draining,
            intake_held=tuple(sorted(phase.intake_held)),
            tokens=phase.budget.tokens,
            token_limit=phase.budget.token_limit,
            events=phase.budget.events,
            event_limit=phase.budget.event_limit,
            stuck_after_s=self._oldest.after_s,
            partitions=tuple(
                self._partition(it, places, phase.lag.get(it.partition), now, it.partition in stuck)
                for it in sorted(chosen, key=lambda it: it.partition)
            ),
        )

    def answer(self, parameters: Mapping[str, str]) -> object:
        """The report as JSON; see `health.control`.

        Raises:
            BadQuestion: `partition` is no number, or is not ours.
        """
        wanted = parameters.get("partition")
        if wanted is None:
            return self.report().model_dump(mode="json")
        ours = sorted(it.partition[1] for it in self._held)
        if wanted not in map(str, ours):
            told = ", ".join(map(str, ours)) or "none at the moment"
            raise BadQuestion(f"partition {wanted!r} is not of this worker; it has: {told}")
        return self.report([int(wanted)]).model_dump(mode="json")

    def _places(self) -> dict[Entry, _Where]:
        places: dict[Entry, _Where] = {}
        for it in self._flow.in_lanes():
            places[it.entry] = _Where(Room.LANE, it.received, it)
        for it in self._flow.at_judge():
            began = it.received if it.asked_at is None else it.asked_at
            places[it.entry] = _Where(Room.JUDGE, began, it)
        for partition in self._held:
            for entry in self._outbox.held_back(partition.order):
                places[entry] = _Where(Room.ORDER, entry.since)
        for entry in self._outbox.queued():
            places[entry] = _Where(Room.PUBLISH, entry.since)
        return places

    def _partition(
        self,
        held: Held,
        places: Mapping[Entry, _Where],
        lag: int | None,
        now: float,
        stuck: bool,  # noqa: FBT001 (one of the facts about a partition)
    ) -> PartitionReport:
        topic, number = held.partition
        entries = held.ledger.held()
        unsettled = list(_unsettled(entries))
        fates = held.ledger.fates
        return PartitionReport(
            topic=topic,
            partition=number,
            position=held.ledger.position,
            committed=held.committed,
            uncommitted_s=self._commits.still_s(held.partition, now) if _lags(held) else None,
            oldest=self._told(entries[0], places, held.partition, now) if entries else None,
            rooms=dict(Counter(_where(it, places).room for it in unsettled)),
            settled_behind=len(entries) - len(unsettled),
            lag=lag,
            stuck=stuck,
            admitted=fates.admitted,
            settled=fates.settled,
            in_flight=fates.in_flight,
        )

    def _told(
        self, entry: Entry, places: Mapping[Entry, _Where], partition: Place, now: float
    ) -> Oldest:
        where = _where(entry, places)
        admission = where.admission
        return Oldest(
            offset=entry.offset,
            room=where.room,
            in_room_s=max(0.0, now - where.since),
            age_s=max(0.0, now - entry.admitted_at),
            still_s=self._oldest.still_s(partition, now),
            lane=entry.lane,
            attempts=max(entry.attempts, admission.attempts if admission else 0),
            event_id=admission.event.event_id if admission else None,
        )


def _unsettled(entries: Iterable[Entry]) -> Iterator[Entry]:
    return (it for it in entries if it.stage is not Stage.SETTLED)


def _lags(held: Held) -> bool:
    position = held.ledger.position
    return position is not None and position != held.committed


def _where(entry: Entry, places: Mapping[Entry, _Where]) -> _Where:
    found = places.get(entry)
    if found is not None:
        return found
    # What was judged and is neither queued nor held back was handed to the log.
    room = Room.NOWHERE if entry.stage is Stage.ADMITTED else Room.ACKNOWLEDGEMENT
    return _Where(room, entry.since)
