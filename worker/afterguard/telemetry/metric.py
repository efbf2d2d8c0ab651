"""What is said about one metric; all of them stand in `metric_list`."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: With its unit, as Prometheus has it; `afterguard_` is put before it.
        kind: Of the Prometheus types.
        unit: What is counted or measured.
        meaning: What the number says.
        remedy: What an operator does when it is odd.
        labels: Names of its labels.
        buckets: Upper bounds, for a histogram.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    remedy: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
