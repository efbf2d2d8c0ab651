"""Every metric as one typed list: name, kind, unit, meaning, and what to do about it.

The documentation, the dashboards' checks and the objects of `metrics` are made from this list.
Labels take their values from closed sets (policy ids, outcomes, partitions): no ids, no text.
"""

from typing import Final

from afterguard.telemetry.compute_metric_list import COMPUTE_METRICS
from afterguard.telemetry.engine_metric_list import ENGINE_METRICS
from afterguard.telemetry.metric import Metric
from afterguard.telemetry.policy_metric_list import POLICY_METRICS
from afterguard.telemetry.prefilter_metric_list import PREFILTER_METRICS
from afterguard.telemetry.room_metric_list import ROOM_METRICS
from afterguard.telemetry.store_metric_list import STORE_METRICS
from afterguard.telemetry.stream_metric_list import STREAM_METRICS
from afterguard.telemetry.verdict_metric_list import VERDICT_METRICS
from afterguard.telemetry.worker_metric_list import WORKER_METRICS

SECTIONS: Final[dict[str, tuple[Metric, ...]]] = {
    "What comes out": VERDICT_METRICS,
    "Rooms": ROOM_METRICS,
    "Stream": STREAM_METRICS,
    "Engine": ENGINE_METRICS,
    "Cost": COMPUTE_METRICS,
    "Policies": POLICY_METRICS,
    "Policy store": STORE_METRICS,
    "Prefilters": PREFILTER_METRICS,
    "Worker": WORKER_METRICS,
}
"""The metrics by what they are about, in the order of the page."""

METRICS: Final[tuple[Metric, ...]] = tuple(it for section in SECTIONS.values() for it in section)
