"""Tallies: counters for the hot path, which are brought up to date when somebody looks.

A counter of prometheus_client takes a lock for each addition and costs a microsecond or two; where
several are fed for each request, that is felt. A tally is a plain number.
"""

from collections.abc import Iterator
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.registry import Collector


class Tally:
    """What was added up for one counter, and how much of it the counter has.

    Attributes:
        total: What was added up; only ever more, on the event loop alone.
    """

    __slots__ = ("_counted", "_counter", "total")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self.total = self._counted = 0.0

    def add(self, amount: float) -> None:
        """Add something; on the event loop alone."""
        self.total += amount

    def bring_up(self) -> None:
        """Bring the counter up to date; in any thread, in one at a time."""
        # The event loop may add meanwhile, so the total is read once and never written here.
        total = self.total
        if total > self._counted:
            self._counter.inc(total - self._counted)
            self._counted = total


class Tallies(Collector):
    """Brings its counters up to date before they are collected.

    Args:
        registry: Collects in the order of registration, so this one must come before its counters.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tallies: list[Tally] = []
        self._looking = Lock()
        registry.register(self)

    def of(self, counter: Counter) -> Tally:
        """A tally of a counter."""
        tally = Tally(counter)
        self._tallies.append(tally)
        return tally

    def collect(self) -> Iterator[Metric]:
        """Nothing of its own."""
        # The page of metrics is made in threads, perhaps two at once.
        with self._looking:
            for tally in self._tallies:
                tally.bring_up()
        return iter(())
