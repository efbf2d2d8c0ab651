"""Distributions: histograms for the hot path, with a trace to look at for each bucket.

A histogram of prometheus_client takes two locks for each value and looks through its buckets one
after another: some microseconds, several times for each event. Here a value costs a search and two
additions, and what Prometheus reads is made when it reads.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import inf
from time import time
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import Exemplar, HistogramMetricFamily
from prometheus_client.registry import Collector

_Bucket = tuple[str, float] | tuple[str, float, Exemplar]


class _Seen(NamedTuple):
    """A value that was traced."""

    trace_id: str
    value: float
    at: float


class Spread:
    """The values of one series. Made by `Distribution.labels` only."""

    __slots__ = ("_bounds", "_counts", "_seen", "_total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._seen: list[_Seen | None] = [None] * (len(bounds) + 1)
        self._total = 0.0

    def observe(self, value: float, trace_id: str | None = None) -> None:
        """Count one value; on the event loop alone.

        Args:
            value: In the unit of the metric.
            trace_id: Of the trace that the value belongs to; shown as the bucket's exemplar.
        """
        place = bisect_left(self._bounds, value)
        self._counts[place] += 1
        self._total += value
        if trace_id is not None:
            self._seen[place] = _Seen(trace_id, value, time())

    def shown(self) -> tuple[list[_Bucket], float]:
        """How many values are at most each bound, with an exemplar; and the sum of all values."""
        # Read in a thread while the event loop adds: each list is copied in one go.
        counts, seen, total = self._counts.copy(), self._seen.copy(), self._total
        found: list[_Bucket] = []
        so_far = 0.0
        for bound, count, it in zip((*self._bounds, inf), counts, seen, strict=True):
            so_far += count
            told = "+Inf" if bound == inf else str(float(bound))
            if it is None:
                found.append((told, so_far))
            else:
                exemplar = Exemplar({"trace_id": it.trace_id}, it.value, it.at)
                found.append((told, so_far, exemplar))
        return found, total


class Distribution(Collector):
    """A histogram; for the registry it is like those of prometheus_client.

    Args:
        name: Of the metric.
        text: What it says.
        label_names: Of its labels.
        buckets: Upper bounds, in rising order; one without bound is added.
        registry: Where it is collected.
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        text: str,
        label_names: Sequence[str] = (),
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        if list(buckets) != sorted(set(buckets)):
            raise ValueError(f"the buckets of {name} do not rise")
        self.label_names = tuple(label_names)
        self._name, self._text, self._bounds = name, text, tuple(buckets)
        self._spreads: dict[tuple[str, ...], Spread] = {}
        registry.register(self)

    def labels(self, *values: str) -> Spread:
        """The series with these values of its labels; without labels, the only one.

        Raises:
            ValueError: They are not as many as the names.
        """
        if len(values) != len(self.label_names):
            raise ValueError(f"{self._name} has {len(self.label_names)} labels, not {len(values)}")
        spread = self._spreads.get(values)
        if spread is None:
            spread = self._spreads[values] = Spread(self._bounds)
        return spread

    def describe(self) -> Iterator[Metric]:
        """Its name, for the registry."""
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        """All of its series."""
        family = self._family()
        for values, spread in list(self._spreads.items()):
            family.add_metric(values, *spread.shown())
        yield family

    def _family(self) -> HistogramMetricFamily:
        return HistogramMetricFamily(self._name, self._text, labels=self.label_names)
