"""A simulated group of workers: partitions, rebalances, pods that load and drain."""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.scaling.arrivals import SHAPE, Load, Message, messages
from benchmarks.scaling.autoscaler import Autoscaler, Scaling, Seen
from benchmarks.scaling.worker import Fates, Rules, Worker

STEP_S = 0.5
"""The worker looks for what is overdue so often, seconds."""
REBALANCE_S = 3.0
"""Nobody reads for so long when a worker comes or goes; assumed, for one that is eager."""


class Moment(NamedTuple):
    """One look at the fleet.

    Attributes:
        at_s: When.
        arrived: Since the begin.
        ended: Judged, skipped, expired and shed since the begin.
        waiting: In logs, lanes and engines.
        oldest_s: Age of the oldest that is not judged.
        ready: Workers that judge.
        pods: Those that load included.
    """

    at_s: float
    arrived: int
    ended: int
    waiting: int
    oldest_s: float
    ready: int
    pods: int


class Fleet:
    """All workers of a group.

    Args:
        load: What comes.
        rules: Of every worker.
        workers: At the begin, all ready.
        scaling: Of the autoscaler; None for a fixed number of workers.
        rebalance_s: Nobody reads for so long when a worker comes or goes, seconds.
    """

    def __init__(
        self,
        load: Load,
        rules: Rules,
        workers: int,
        *,
        scaling: Scaling | None = None,
        rebalance_s: float = REBALANCE_S,
    ) -> None:
        self.fates = Fates()
        self.pod_seconds = 0.0
        self._load, self._rules = load, rules
        self._scaling, self._rebalance_s = scaling, rebalance_s
        self._autoscaler = None if scaling is None else Autoscaler(scaling)
        self._logs = [deque[Message]() for _ in range(load.partitions)]
        self._workers = [Worker(rules, self.fates, 0.0) for _ in range(workers)]
        self._owners: list[Worker] = []
        self._loading: deque[float] = deque()
        self._held_until = 0.0
        self._deal()

    def run(
        self, until_s: float, seed: int, *, shape: float | None = SHAPE, every_s: float = 10.0
    ) -> Iterator[Moment]:
        """Let messages come until then.

        Args:
            until_s: The end, seconds.
            seed: Of chance.
            shape: Of the work of messages, see `messages`.
            every_s: Between two looks that are told, seconds.
        """
        yield from self.serve(messages(self._load, until_s, seed, shape=shape), until_s, every_s)

    def serve(
        self, coming: Iterator[Message], until_s: float, every_s: float = 10.0
    ) -> Iterator[Moment]:
        """Let these messages come, in the order of their times.

        Args:
            coming: The messages.
            until_s: The end, seconds.
            every_s: Between two looks that are told, seconds.
        """
        message = next(coming, None)
        poll_s = self._scaling.poll_s if self._scaling else until_s
        next_poll, next_told = poll_s, every_s
        steps = round(until_s / STEP_S)
        for step in range(1, steps + 1):
            now = step * STEP_S
            while message is not None and message.at < now:
                self._arrive(message)
                message = next(coming, None)
            self._step(now)
            if now >= next_poll:
                next_poll += poll_s
                self._scale(self._moment(now), now)
            if now >= next_told:
                next_told += every_s
                yield self._moment(now)

    @property
    def unjudged(self) -> list[Message]:
        """All that wait in logs, lanes and engines."""
        held = [it for worker in self._workers for it in worker.in_flight]
        return [*(it for log in self._logs for it in log), *held]

    def _arrive(self, message: Message) -> None:
        owner = self._owners[message.partition]
        owner.advance(message.at)
        self.fates.arrived += 1
        owner.arrive(message)

    def _step(self, now: float) -> None:
        for worker in self._workers:
            worker.advance(now)
            worker.sweep()
        self.pod_seconds += STEP_S * (len(self._workers) + len(self._loading))
        if self._loading and self._loading[0] <= now:
            while self._loading and self._loading[0] <= now:
                self._loading.popleft()
                self._workers.append(Worker(self._rules, self.fates, now))
            self._rebalance(now)
        if self._held_until and now >= self._held_until:
            self._held_until = 0.0
            for worker in self._workers:
                worker.held = False
                worker.take()

    def _scale(self, moment: Moment, now: float) -> None:
        if self._autoscaler is None or self._scaling is None:
            return
        seen = Seen(moment.waiting, moment.oldest_s, moment.ready, moment.pods)
        wanted = self._autoscaler.look(seen, now)
        self._loading.extend([now + self._scaling.load_s] * max(0, wanted - moment.pods))
        if wanted < moment.pods:
            if self._loading:
                self._loading.pop()
            elif len(self._workers) > 1:
                # What it has at the engine it ends in its drain; here it is judged anew.
                gone = self._workers.pop()
                self._give_back(gone.give_up())
                self._rebalance(now)

    def _rebalance(self, now: float) -> None:
        self._held_until = now + self._rebalance_s
        for worker in self._workers:
            worker.held = True
        self._deal()

    def _deal(self) -> None:
        workers = self._workers
        self._owners = [workers[it % len(workers)] for it in range(self._load.partitions)]
        shares = [
            {it: log for it, log in enumerate(self._logs) if self._owners[it] is worker}
            for worker in workers
        ]
        for worker, share in zip(workers, shares, strict=True):
            self._give_back(worker.waiting_of_others(share))
        for worker, share in zip(workers, shares, strict=True):
            worker.assign(share)

    def _give_back(self, given: list[Message]) -> None:
        # Not committed: the next owner reads them first.
        for message in sorted(given, key=lambda it: it.at, reverse=True):
            message.started = None
            self._logs[message.partition].appendleft(message)

    def _moment(self, now: float) -> Moment:
        heads = [log[0].at for log in self._logs if log]
        waiting = sum(map(len, self._logs))
        for worker in self._workers:
            in_flight = worker.in_flight
            waiting += len(in_flight)
            if in_flight:
                heads.append(min(it.at for it in in_flight))
        return Moment(
            now,
            self.fates.arrived,
            self.fates.ended,
            waiting,
            now - min(heads, default=now),
            len(self._workers),
            len(self._workers) + len(self._loading),
        )
