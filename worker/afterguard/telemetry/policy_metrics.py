"""The metrics of policies as objects."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Gauge

from afterguard.contracts.policies import Policy
from afterguard.telemetry.compute_metrics import ComputeMetrics


class PolicyMetrics:
    """What is in force, how policies are judged, and what that costs.

    Args:
        made: The metrics of `policy_metric_list`, by name.
    """

    def __init__(self, made: Mapping[str, Any]) -> None:
        self._info: Gauge = made["policy_info"]
        self.compute = ComputeMetrics(made)

    def in_force(self, policies: Iterable[Policy]) -> None:
        """Show these versions and no others."""
        self._info.clear()
        for policy in policies:
            self._info.labels(policy.id, policy.version, policy.stage.value).set(1)
