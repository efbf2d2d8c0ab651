"""The metrics of what comes out: verdicts, interventions, and what got none."""

from typing import Final

from afterguard.telemetry.metric import Metric

_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)

VERDICT_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        "verdicts_total",
        "counter",
        "verdicts",
        "Verdicts acknowledged by the broker, without those of versions on trial. `action` is what "
        "the verdict asks for.",
        "a sudden change of `violation` after an edit of a policy: test the policy",
        ("policy", "outcome", "action"),
    ),
    Metric(
        "interventions_total",
        "counter",
        "interventions",
        "Interventions acknowledged by the broker.",
        "a surge of one action: look at its policy before the platform acts on more",
        ("action",),
    ),
    Metric(
        "time_to_intervention_seconds",
        "histogram",
        "seconds",
        "From the event's own time to the acknowledged intervention.",
        "compare with queue_seconds, judge_seconds and publish_seconds to see where the time goes",
        ("lane",),
        _SECONDS,
    ),
    Metric(
        "queue_seconds",
        "histogram",
        "seconds",
        "From received to the first engine request.",
        "the engine is the bottleneck: add workers",
        ("lane",),
        _SECONDS,
    ),
    Metric(
        "unasked_events_total",
        "counter",
        "events",
        "Events given up while they waited for the engine: past their deadline, or shed. Each has "
        "its record.",
        "the worker gets more than it can judge: add workers, or see what its lanes hold",
        ("reason", "lane"),
    ),
    Metric(
        "dead_letters_total",
        "counter",
        "events",
        "Events that went to the dead letters.",
        "list them by reason; replay what can be judged now",
        ("reason",),
    ),
    Metric(
        "duplicates_recognised_total",
        "counter",
        "events",
        "Events that had been judged and published before and were skipped.",
        "none; it is the base of other figures",
    ),
)
