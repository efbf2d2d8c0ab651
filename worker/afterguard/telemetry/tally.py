"""Tallies: counters for the hot path, which are brought up to date when somebody looks.

A counter of prometheus_client takes a lock for each addition and costs a microsecond or two; where
several are fed for each request, that is felt. A tally is a plain number.
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Metric
from prometheus_client.registry import Collector


class Tally:
    """What was added to one counter and is not in it yet."""

    __slots__ = ("_counter", "_pending")

    def __init__(self, counter: Counter) -> None:
        self._counter, self._pending = counter, 0.0

    def add(self, amount: float) -> None:
        """Add something; on the event loop alone."""
        self._pending += amount

    def bring_up(self) -> None:
        """Bring the counter up to date."""
        if self._pending:
            self._counter.inc(self._pending)
            self._pending = 0.0


class Tallies(Collector):
    """Brings its counters up to date before they are collected.

    Args:
        registry: Collects in the order of registration, so this one must come before its counters.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tallies: list[Tally] = []
        registry.register(self)

    def of(self, counter: Counter) -> Tally:
        """A tally of a counter."""
        tally = Tally(counter)
        self._tallies.append(tally)
        return tally

    def collect(self) -> Iterator[Metric]:
        """Nothing of its own."""
        for tally in self._tallies:
            tally.bring_up()
        return iter(())
