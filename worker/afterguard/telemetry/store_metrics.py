"""The metrics of the policy store as objects."""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Counter, Gauge


class StoreMetrics:
    """What a worker knows of its policy store.

    Args:
        made: The metrics of `store_metric_list`, by name.
    """

    def __init__(self, made: Mapping[str, Any]) -> None:
        self._changes: Counter = made["policy_changes_total"]
        self._refused: Gauge = made["policy_versions_refused"]
        self.unconfirmed: Gauge = made["policies_unconfirmed"]
        self.contact_age: Gauge = made["policy_store_contact_age_seconds"]

    def known(self, policy_id: str) -> None:
        """Show that a policy has not changed yet, so that its first change is an increase."""
        self._changes.labels(policy_id)

    def changed(self, policy_id: str) -> None:
        """Count one change."""
        self._changes.labels(policy_id).inc()

    def refusals(self, policy_ids: Sequence[str]) -> None:
        """Show how many versions of each policy are refused; an id stands once for each."""
        self._refused.clear()
        for policy_id, count in Tally(policy_ids).items():
            self._refused.labels(policy_id).set(count)
