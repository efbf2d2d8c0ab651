"""The metrics of the policy store: what a worker knows of it, and whether it follows."""

from typing import Final

from afterguard.telemetry.metric import Metric

STORE_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "policy_changes_total",
        "counter",
        "changes",
        "Versions that were put in force, put on trial or taken off while the worker ran.",
        "grows and nobody has changed a policy: see `afterguard policies history`",
        ("policy",),
    ),
    Metric(
        "policy_versions_refused",
        "gauge",
        "versions",
        "Versions that the policy store names and this worker cannot use; what was in force stays.",
        "not 0: the log line `a version is refused` says why; roll back, or give the worker what "
        "the version needs",
        ("policy",),
    ),
    Metric(
        "policies_unconfirmed",
        "gauge",
        "1",
        "1 until the policy store was read once; verdicts are marked `policies_unconfirmed`.",
        "1 for more than a moment: look at Redis, or at the folder of `policies.store`",
    ),
    Metric(
        "policy_store_contact_age_seconds",
        "gauge",
        "seconds",
        "Time since the policy store last answered; 0 without one.",
        "above 5: this worker learns of no change; look at Redis, or at the folder",
    ),
)
