"""Gauges: how the stream stands, looked at once a second rather than at every event."""

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic, time

from afterguard.delivery.budget import TokenBudget
from afterguard.stream.assignments import Assignments
from afterguard.stream.intake import Intake
from afterguard.stream.ports import Consumer
from afterguard.telemetry.metrics import Metrics


class Gauges:
    """Shows lag, age, budget and the fates balance.

    Args:
        metrics: Where to show them.
        consumer: Knows the lag.
        assignments: Know the ledgers.
        budget: Knows what is in flight.
        intake: Knows whether it is paused.
        also: Looks of others at what is not the stream's, at the same time.
        interval_s: Between two looks, seconds.
        clock: Monotonic seconds.
        now: The wall clock, seconds since the epoch.
    """

    def __init__(
        self,
        metrics: Metrics,
        consumer: Consumer,
        assignments: Assignments,
        budget: TokenBudget,
        intake: Intake,
        *,
        also: Iterable[Callable[[], None]] = (),
        interval_s: float = 1.0,
        clock: Callable[[], float] = monotonic,
        now: Callable[[], float] = time,
    ) -> None:
        self._metrics, self._consumer, self._assignments = metrics, consumer, assignments
        self._budget, self._intake = budget, intake
        self._also = tuple(also)
        self._interval_s, self._clock, self._now = interval_s, clock, now

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._interval_s)

    def look(self) -> None:
        """One look."""
        for look in self._also:
            look()
        metrics, now, wall = self._metrics, self._clock(), self._now()
        budget = self._budget.statistics()
        metrics.in_flight_tokens.set(budget.tokens)
        metrics.in_flight_events.set(budget.events)
        metrics.token_budget.set(budget.token_limit)
        metrics.paused_partitions.set(len(self._assignments) if self._intake.paused else 0)
        fates = self._assignments.fates
        metrics.ledger_admitted.set(fates.admitted)
        metrics.ledger_settled.set(fates.settled)
        metrics.ledger_abandoned.set(fates.abandoned)
        partitions = metrics.partitions
        partitions.keep({it.partition for it in self._assignments})
        lag = self._consumer.lag()
        for assignment in self._assignments:
            topic, number = assignment.partition
            own = assignment.ledger.fates
            partitions.admitted.labels(topic, number).set(own.admitted)
            partitions.settled.labels(topic, number).set(own.settled)
            partitions.in_flight.labels(topic, number).set(own.in_flight)
            oldest = assignment.ledger.oldest
            partitions.oldest_unsettled_seconds.labels(topic, number).set(
                now - oldest.admitted_at if oldest else 0.0
            )
            unread = lag.get(assignment.partition, 0)
            partitions.oldest_unjudged(topic, number, assignment.oldest_unjudged(wall, unread))
            if assignment.committed is not None:
                partitions.committed_offset.labels(topic, number).set(assignment.committed)
            if assignment.partition in lag:
                partitions.lag_records.labels(topic, number).set(lag[assignment.partition])
