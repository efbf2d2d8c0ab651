"""The metrics of policies: what is in force, and what versions on trial would change."""

from typing import Final

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
    Metric(
        "shadow_verdicts_total",
        "counter",
        "verdicts",
        "Verdicts of versions on trial, acknowledged by the broker; nothing follows from them.",
        "`expired` grows: the engine has no time for trials; lower their share, or raise "
        "`judging.shadow_wait_s`",
        ("policy", "outcome"),
    ),
    Metric(
        "shadow_agreement_total",
        "counter",
        "events",
        "Events that the version on trial judged beside the one in force: what it makes of them.",
        "`stricter` or `laxer` is not what the edit was meant to be: look at the events with "
        "`afterguard policies compare`",
        ("policy", "agreement"),
    ),
)
