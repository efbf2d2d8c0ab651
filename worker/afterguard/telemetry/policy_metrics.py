"""The metrics of policies as objects."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Counter, Gauge

from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Outcome
from afterguard.telemetry.compute_metrics import ComputeMetrics
from afterguard.telemetry.prefilter_metrics import PrefilterMetrics
from afterguard.telemetry.store_metrics import StoreMetrics
from afterguard.telemetry.tally import Tallies


class PolicyMetrics:
    """What is in force, how policies are judged, and what that costs.

    Args:
        made: The metrics of `policy_metric_list`, by name.
        tallies: Where the hot ones are added up.
    """

    def __init__(self, made: Mapping[str, Any], tallies: Tallies) -> None:
        self._info: Gauge = made["policy_info"]
        self._target_recall: Gauge = made["prefilter_target_recall"]
        self._verdicts: Counter = made["verdicts_total"]
        self._shadow_verdicts: Counter = made["shadow_verdicts_total"]
        self._shadow_agreement: Counter = made["shadow_agreement_total"]
        self.store = StoreMetrics(made)
        self.compute = ComputeMetrics(made, tallies)
        self.prefilter = PrefilterMetrics(made)

    def in_force(self, policies: Iterable[Policy]) -> None:
        """Show these versions and no others; of one policy, that in force comes first."""
        self._info.clear()
        targets: dict[str, float] = {}
        for policy in policies:
            self.store.known(policy.id)
            # From 0, or a rate would not see the first violation.
            for action in {it.action for it in policy.rules} if not policy.shadow else ():
                self._verdicts.labels(policy.id, Outcome.VIOLATION.value, action.value)
            self._info.labels(policy.id, policy.version, policy.stage.value).set(1)
            if policy.prefilter is not None:
                targets.setdefault(policy.id, policy.prefilter.target_recall)
        self._target_recall.clear()
        for policy_id, target in targets.items():
            self._target_recall.labels(policy_id).set(target)

    def shadow_verdict(self, policy_id: str | None, outcome: Outcome) -> None:
        """Count one acknowledged verdict of a version on trial."""
        self._shadow_verdicts.labels(policy_id or "", outcome.value).inc()

    def shadow_agreement(self, policy_id: str, agreement: str) -> None:
        """Count one event that was judged under a version on trial and the one in force."""
        self._shadow_agreement.labels(policy_id, agreement).inc()
