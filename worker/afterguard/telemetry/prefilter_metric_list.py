"""The metrics of fitted classifiers: what they keep from the model, and what they miss."""

from typing import Final

from afterguard.telemetry.metric import Metric

PREFILTER_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "prefilter_events_total",
        "counter",
        "events",
        "Events under a policy with a prefilter or a dedicated classifier: `skipped`, `forwarded` "
        "to the model, `bypassed` (would have been skipped, and is in the sample), `decided` by "
        "the classifier as judge, `unscreened` (no score, so the model is asked).",
        "`unscreened` grows: read the log; a text is too long, or scores take longer than "
        "`prefilter.timeout_s`",
        ("policy", "result"),
    ),
    Metric(
        "prefilter_violations_total",
        "counter",
        "events",
        "Violations that the model found: among the `forwarded`, and among the `bypassed`, which "
        "are misses of the prefilter.",
        "`bypassed` grows: the traffic is no longer what the prefilter was fitted on; see "
        "`prefilter_recall_estimate`",
        ("policy", "result"),
    ),
    Metric(
        "prefilter_recall_estimate",
        "gauge",
        "ratio",
        "Of all violations since the worker started, the estimated share that reached the model: "
        "those among the forwarded, divided by these and the bypassed ones over "
        "`prefilter.bypass_share`.",
        "below `prefilter_target_recall`: remove `prefilter` from the policy, and fit anew on the "
        "verdicts of the days since",
        ("policy",),
    ),
    Metric(
        "prefilter_target_recall",
        "gauge",
        "ratio",
        "Of all violations, the share that must reach the model: `target_recall` of the "
        "policy in force.",
        "none; `prefilter_recall_estimate` is compared with it",
        ("policy",),
    ),
    Metric(
        "prefilter_seconds",
        "histogram",
        "seconds",
        "Scoring one batch, from when it was handed to the thread.",
        "long: lower `prefilter.batch`, raise `prefilter.threads`, or give the worker more cores",
        buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    ),
    Metric(
        "prefilter_batch_texts",
        "histogram",
        "texts",
        "Texts that were scored in one go.",
        "always `prefilter.batch`: the classifier is the narrowest place",
        buckets=(1, 2, 4, 8, 16, 32, 64, 128),
    ),
)
