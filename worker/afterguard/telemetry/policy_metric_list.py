"""The metrics of policies: what is in force, how they are judged, and what that costs."""

from typing import Final

from afterguard.telemetry.compute_metric_list import COMPUTE_METRICS
from afterguard.telemetry.metric import Metric

POLICY_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "policy_info",
        "gauge",
        "1",
        "The versions in force, one series for each.",
        "differs between workers for more than a second: one of them has lost its policy store",
        ("policy", "version", "stage"),
    ),
    *COMPUTE_METRICS,
)
