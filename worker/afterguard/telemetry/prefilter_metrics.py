"""The metrics of fitted classifiers as objects."""

from collections.abc import Mapping
from typing import Any, Literal

from prometheus_client import Counter, Gauge

from afterguard.telemetry.distribution import Spread

Result = Literal["skipped", "forwarded", "bypassed", "decided", "unscreened"]


class PrefilterMetrics:
    """What classifiers keep from the model, and what they miss.

    Args:
        made: The metrics of `prefilter_metric_list`, by name.
    """

    def __init__(self, made: Mapping[str, Any]) -> None:
        self.seconds: Spread = made["prefilter_seconds"].labels()
        self.batch_texts: Spread = made["prefilter_batch_texts"].labels()
        self._events: Counter = made["prefilter_events_total"]
        self._violations: Counter = made["prefilter_violations_total"]
        self._recall: Gauge = made["prefilter_recall_estimate"]
        self._found: dict[str, int] = {}
        self._missed: dict[str, int] = {}

    def event(self, policy_id: str, result: Result) -> None:
        """Count one event that a classifier was asked about."""
        self._events.labels(policy_id, result).inc()

    def violation(self, policy_id: str, *, bypassed: bool, bypass_share: float) -> None:
        """Count one violation that the model found, and estimate the recall anew.

        Each miss that is seen stands for `1 / bypass_share` misses.

        Args:
            policy_id: Of the policy.
            bypassed: Whether the prefilter would have skipped it.
            bypass_share: Of what would be skipped, the share that is judged all the same.
        """
        self._violations.labels(policy_id, "bypassed" if bypassed else "forwarded").inc()
        counts = self._missed if bypassed else self._found
        counts[policy_id] = counts.get(policy_id, 0) + 1
        found = self._found.get(policy_id, 0)
        missed = self._missed.get(policy_id, 0) / bypass_share
        self._recall.labels(policy_id).set(found / (found + missed))
