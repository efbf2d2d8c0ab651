"""One simulated worker: intake within a budget, lanes, an engine, deadlines and shedding.

Budget, lanes and shedding are the worker's own; the engine is the `BatchServer` of the sizing, by
a virtual clock: with `n` messages inside, each goes on at `1 / time_s(n)`.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from itertools import count
from typing import NamedTuple

from afterguard.delivery.budget import TokenBudget
from afterguard.flow.lanes import Lanes, lane_place
from afterguard.flow.settings import JudgingSettings
from afterguard.flow.shedding import Shedding
from afterguard.sizing.batch_server import BatchServer
from afterguard.stream.settings import IntakeSettings
from benchmarks.scaling.arrivals import Message

_AT_ONCE = 200
_NO_TOKENS = 2**62


class Rules(NamedTuple):
    """What every worker of a fleet goes by.

    Attributes:
        server: Its engine.
        judging: Deadlines, ageing and shedding.
        in_flight: `intake.max_events_in_flight`.
    """

    server: BatchServer
    judging: JudgingSettings = JudgingSettings()
    in_flight: int = IntakeSettings().max_events_in_flight


class Fates:
    """What became of all messages; waits and times of those that were judged."""

    def __init__(self) -> None:
        self.arrived = self.judged = self.skipped = self.expired = self.shed = 0
        self.waits: list[float] = []
        self.times: list[float] = []
        self.done: list[float] = []

    @property
    def ended(self) -> int:
        """All that wait for nothing any more."""
        return self.judged + self.skipped + self.expired + self.shed


class Worker:
    """One worker.

    Args:
        rules: Of the fleet.
        fates: Where it tells what became of its messages.
        now: When it is ready.
    """

    def __init__(self, rules: Rules, fates: Fates, now: float) -> None:
        self._rules, self._fates, self._now = rules, fates, now
        judging = rules.judging
        self._shedding = Shedding(
            judging.shed_after_s, above=judging.shed_above, ageing_s=judging.ageing_s
        )
        share = IntakeSettings().resume_share
        self._budget = TokenBudget(_NO_TOKENS, rules.in_flight, share)
        self._lanes: Lanes[Message] = Lanes()
        self._inside: list[tuple[float, int, Message]] = []
        self._virtual, self._number = 0.0, count()
        self._logs: Mapping[int, deque[Message]] = {}
        self._behind = False
        self.held = False

    @property
    def in_flight(self) -> list[Message]:
        """Taken from the log and not ended."""
        return [*self._lanes, *(it[2] for it in self._inside)]

    @property
    def at_engine(self) -> int:
        """In the engine."""
        return len(self._inside)

    def assign(self, logs: Mapping[int, deque[Message]]) -> None:
        """These partitions are its own; what waits of others goes back to their logs by `given`."""
        self._logs, self._behind = logs, True
        self._lanes.keep(lambda it: it.partition in logs)
        self._count()
        self.take()

    def waiting_of_others(self, logs: Iterable[int]) -> list[Message]:
        """What waits in its lanes and belongs to none of these partitions."""
        own = set(logs)
        return [it for it in self._lanes if it.partition not in own]

    def give_up(self) -> list[Message]:
        """It ends: all that it has in flight, which nobody has judged."""
        left = self.in_flight
        self._lanes, self._inside = Lanes(), []
        self._count()
        return left

    def arrive(self, message: Message) -> None:
        """A message came to one of its logs."""
        if self._behind or self.held or self._budget.exhausted:
            self._logs[message.partition].append(message)
            self._behind = True
        else:
            self._admit(message)

    def take(self) -> None:
        """Read its logs while the budget allows."""
        if not self._behind:
            return
        read = True
        while read and not self.held and not self._budget.exhausted:
            read = False
            for log in self._logs.values():
                if log and not self._budget.exhausted:
                    self._admit(log.popleft())
                    read = True
        self._behind = any(self._logs.values())

    def advance(self, until: float) -> None:
        """Let the engine work up to that time."""
        inside = self._inside
        while inside:
            takes = self._rules.server.time_s(len(inside))
            ends = self._now + (inside[0][0] - self._virtual) * takes
            if ends > until:
                self._virtual += (until - self._now) / takes
                break
            self._now, self._virtual = ends, inside[0][0]
            self._judged(heappop(inside)[2])
            inside = self._inside
        self._now = until

    def sweep(self) -> None:
        """Give up what is overdue or to be shed, as the worker does twice a second."""
        now, fates = self._now, self._fates
        while True:
            late = self._lanes.overdue(now, _AT_ONCE)
            shed = self._shedding.victims(self._lanes, now, _AT_ONCE - len(late))
            fates.expired += len(late)
            fates.shed += len(shed)
            self._release(len(late) + len(shed))
            if len(late) + len(shed) < _AT_ONCE:
                break
        overdue = [
            it for it in self._inside if it[2].deadline is not None and it[2].deadline <= now
        ]
        if overdue:
            gone = {it[1] for it in overdue}
            self._inside = [it for it in self._inside if it[1] not in gone]
            heapify(self._inside)
            fates.expired += len(overdue)
            self._release(len(overdue))
        self._fill()
        self.take()

    def _admit(self, message: Message) -> None:
        if not message.asked:
            self._fates.skipped += 1
            return
        self._budget.take(0)
        now, judging = self._now, self._rules.judging
        within = judging.deadline_s[message.lane]
        message.deadline = None if within is None else now + within
        if len(self._inside) < self._rules.server.slots:
            self._start(message)
        else:
            place = lane_place(message.lane, now, judging.ageing_s)
            self._lanes.push(message, message.lane, place, message.deadline)

    def _start(self, message: Message) -> None:
        message.started = self._now
        heappush(self._inside, (self._virtual + message.size, next(self._number), message))

    def _fill(self) -> None:
        while len(self._lanes) and len(self._inside) < self._rules.server.slots:
            self._start(self._lanes.pop().waiting)

    def _judged(self, message: Message) -> None:
        fates = self._fates
        fates.judged += 1
        started = message.at if message.started is None else message.started
        fates.waits.append(started - message.at)
        fates.times.append(self._now - message.at)
        fates.done.append(self._now)
        self._budget.release(0)
        self._fill()
        self.take()

    def _release(self, events: int) -> None:
        for _ in range(events):
            self._budget.release(0)

    def _count(self) -> None:
        # After partitions went, what is held is counted anew.
        self._release(self._budget.statistics().events - len(self._lanes) - len(self._inside))
