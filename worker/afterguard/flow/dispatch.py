"""Dispatch: hands waiting events to the judge, the most urgent first, so many at a time."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from functools import partial
from time import monotonic

import structlog

from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.words import Outcome, Reason
from afterguard.delivery.ledger import Stage
from afterguard.flow.admit import Admission, utc_now
from afterguard.flow.decide import Decide, Decision
from afterguard.flow.findings import EXPIRED, FAULT, SHED, Finding, Reading, unanswered, unasked
from afterguard.flow.judge import Judging
from afterguard.flow.lanes import Lanes
from afterguard.flow.publisher import Publisher
from afterguard.flow.shedding import NO_SHEDDING, Shedding
from afterguard.flow.travel import Travel
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_FAULT = Finding(FAULT)
_LOOK_S = 0.5
_AT_ONCE = 200
_ADRIFT_S = 120.0


class Dispatch:
    """Carries admissions to decisions and hands these to the publisher.

    Args:
        judging: Brings an admission to its findings.
        decide: Merges findings.
        publisher: Takes decisions.
        limit: Most events at the judge at once; the others wait in their lanes.
        metrics: Where what waits is shown.
        shedding: What to give up of what waits.
        adrift_s: How long work is kept whose partition went and did not come back, seconds.
        now: The wall clock.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        judging: Judging,
        decide: Decide,
        publisher: Publisher,
        *,
        limit: int,
        metrics: Metrics,
        shedding: Shedding = NO_SHEDDING,
        adrift_s: float = _ADRIFT_S,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._judging, self._decide, self._publisher = judging, decide, publisher
        self._limit = limit
        self._metrics, self._shedding = metrics, shedding
        self._now, self._clock = now, clock
        self._travel = Travel(limit_s=adrift_s, limit_events=2 * limit)
        self._lanes: Lanes[Admission] = Lanes()
        metrics.waiting_events.set_function(lambda: len(self._lanes))
        self._rooms = metrics.rooms
        self._running: dict[Admission, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """Serve until `close`; then end what still runs.

        Raises:
            ExceptionGroup: Of an `AfterguardError` whose consequence is `exit`.
        """
        async with asyncio.TaskGroup() as group:
            self._group = group
            looking = group.create_task(self._look())
            try:
                self._fill()
                await self._closing.wait()
            finally:
                self._group = None
                looking.cancel()
                for task in self._running.values():
                    task.cancel()

    def close(self) -> None:
        """Stop serving: what waits or runs is given up and stays unsettled."""
        self._closing.set()

    def offer(self, admission: Admission) -> None:
        """Take an event in; it is judged as soon as there is room for it.

        Work on the same record that was cast off is taken up again instead.
        """
        if len(self._travel) and self._adopted(admission):
            return
        if admission.skip is not None:
            # Nobody judges it, so it need not wait behind those that are judged.
            self._rooms.admit.left(0.0)
            self._conclude(admission, [Finding(Reading(Outcome.SKIPPED, admission.skip))])
        elif self._group is not None and len(self._running) < self._limit:
            self._start(self._group, admission)
        else:
            self._lanes.push(admission, admission.lane, admission.place, admission.deadline)

    def cast_off(self) -> int:
        """Let the work of partitions that were taken away go on without an owner.

        Their ledgers are closed by now. What waits in a lane is dropped: it cost nothing yet.

        Returns:
            How many events' work goes on.
        """
        self._lanes.keep(lambda it: it.entry.live)
        count, excess = self._travel.cast_off(self._running, self._clock())
        self._end(excess)
        return count

    def land(self, partitions: Collection[tuple[str, int]]) -> int:
        """Partitions were assigned: end the cast-off work of all others in the engine.

        Args:
            partitions: Topic and number of each that is ours now.

        Returns:
            How many events' work was given up.
        """
        return self._end(self._travel.land(partitions))

    def withdraw(self) -> int:
        """End the judging of events whose partition was taken away, cast off or not.

        Returns:
            How many requests were ended.
        """
        self._travel.drop()
        self._lanes.keep(lambda it: it.entry.live)
        return self._end([it for it in self._running if not it.entry.live])

    def sweep(self) -> int:
        """Give up what is overdue or to be shed; `run` does so twice a second.

        What waits may be stuck behind a full engine, so nobody waits with this for its turn.

        Returns:
            How many waiting events were given up; there may be more after a round number.
        """
        now = self._clock()
        self._end(self._travel.overdue(now))
        late = self._lanes.overdue(now, _AT_ONCE)
        shed = self._shedding.victims(self._lanes, now, _AT_ONCE - len(late))
        self._give_up(late, EXPIRED, Reason.DEADLINE_PASSED, now)
        self._give_up(shed, SHED, Reason.SHED_OVERLOAD, now)
        return len(late) + len(shed)

    @property
    def waiting(self) -> int:
        """Events in the lanes."""
        return len(self._lanes)

    @property
    def running(self) -> int:
        """Events at the judge."""
        return len(self._running)

    def in_lanes(self) -> list[Admission]:
        """Events that wait for the judge, in no order; for a look."""
        return list(self._lanes)

    def at_judge(self) -> list[Admission]:
        """Events that are being judged, those without an owner included; for a look."""
        return list(self._running)

    @property
    def adrift(self) -> int:
        """Events whose work goes on, or is kept, without an owner."""
        return len(self._travel)

    def _adopted(self, admission: Admission) -> bool:
        work = self._travel.take(admission.record.coordinates)
        if work is None:
            return False
        earlier = work.admission
        if not work.fits(admission):
            self._end([earlier])
            return False
        # Its deadline and its place go on from when it was first read.
        earlier.entry, earlier.ticket = admission.entry, admission.ticket
        if earlier.trail is not None:
            # It is one event, and has one trail: the one with what was asked already.
            earlier.trail.read_anew()
        if work.findings is not None:
            self._conclude(earlier, work.findings)
        return True

    def _end(self, admissions: Iterable[Admission]) -> int:
        ended = 0
        for admission in admissions:
            ended += 1
            if task := self._running.get(admission):
                task.cancel()
        return ended

    def _give_up(
        self, admissions: Iterable[Admission], reading: Reading, reason: Reason, now: float
    ) -> None:
        for admission in admissions:
            if admission.entry.live:
                self._metrics.unasked[reason, admission.lane].inc()
                waited = now - admission.received
                self._rooms.admit.failed(waited)
                self._conclude(admission, unasked(admission.policies, reading, waited))

    async def _look(self) -> None:
        pause = _LOOK_S
        while True:
            await asyncio.sleep(pause)
            # After a full sweep there may be more; the rest of the worker has its turn in between.
            pause = 0.0 if self.sweep() >= _AT_ONCE else _LOOK_S

    def _start(self, group: asyncio.TaskGroup, admission: Admission) -> None:
        began = admission.judged_from = self._clock()
        self._rooms.admit.left(began - admission.received)
        task = group.create_task(self._carry(admission))
        self._running[admission] = task
        # Not a `finally` of the task: one that is cancelled before its first step runs none.
        task.add_done_callback(partial(self._ended, admission))

    def _ended(self, admission: Admission, task: asyncio.Task[None]) -> None:
        del self._running[admission]
        self._travel.found(admission, None)
        if not task.cancelled() and task.exception() is not None:
            # The group is ending with this error and takes no new tasks.
            self._group = None
        self._fill()

    def _fill(self) -> None:
        while self._group is not None and len(self._lanes) and len(self._running) < self._limit:
            turn = self._lanes.pop()
            admission = turn.waiting
            admission.place = turn.place
            if admission.entry.live:
                self._start(self._group, admission)

    async def _carry(self, admission: Admission) -> None:
        findings = await self._found(admission)
        if admission.entry.live:
            self._conclude(admission, findings)
        else:
            self._travel.found(admission, findings)

    def _conclude(self, admission: Admission, findings: list[Finding]) -> None:
        began, entry = self._clock(), admission.entry
        if admission.judged_from is not None:
            judge = self._rooms.judge
            leave = judge.failed if any(map(unanswered, findings)) else judge.left
            leave(began - admission.judged_from)
        decision = self._written(admission, findings)
        written = decision is not None
        decision = decision or self._decide.decide(admission, [_FAULT], self._now())
        entry.attempts = admission.attempts
        entry.advance(Stage.JUDGED)
        leave = self._rooms.decide.left if written else self._rooms.decide.failed
        leave(entry.since - began)
        if admission.trail is not None:
            admission.trail.conclude(began, entry.since)
        self._travel.judged(admission, findings)
        self._publisher.publish(decision)

    async def _found(self, admission: Admission) -> list[Finding]:
        try:
            return await self._judging.judge(admission)
        except Exception as error:
            if _is_deliberate(error):
                raise
            # The text of an unknown error may quote the message, so only its type is told.
            _log.error(
                "an event could not be judged",
                coordinates=str(admission.record.coordinates),
                error=type(error).__name__,
            )
            return [_FAULT]

    def _written(self, admission: Admission, findings: list[Finding]) -> Decision | None:
        try:
            return self._decide.decide(admission, findings, self._now())
        except (ValueError, TypeError, OverflowError) as error:
            # What the model or the event said could not be written down as a verdict.
            _log.error(
                "a decision could not be written down",
                coordinates=str(admission.record.coordinates),
                error=type(error).__name__,
            )
            return None


def _is_deliberate(error: Exception) -> bool:
    if isinstance(error, ExceptionGroup):
        return error.subgroup(AfterguardError) is not None
    return isinstance(error, AfterguardError)
