"""Every metric as one typed list: name, kind, unit, meaning, and what to do about it.

The documentation, the dashboards' checks and the objects of `metrics` are made from this list.
Labels take their values from closed sets (policy ids, outcomes, partitions): no ids, no text.
"""

from dataclasses import dataclass
from typing import Literal

_SECONDS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_ENGINE_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric.

    Attributes:
        name: With its unit, as Prometheus has it; `afterguard_` is put before it.
        kind: Of the Prometheus types.
        unit: What is counted or measured.
        meaning: What the number says.
        remedy: What an operator does when it is odd.
        labels: Names of its labels.
        buckets: Upper bounds, for a histogram.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    remedy: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


_ROOM = "none; it is the base of other figures"

METRICS: tuple[Metric, ...] = (
    Metric(
        "events_received_total", "counter", "records", "Records taken from the input topic.", _ROOM
    ),
    Metric(
        "events_rejected_total",
        "counter",
        "records",
        "Records that are no valid event; each is a dead letter.",
        "`reason` tells the fault; look at a dead letter and mend the producer or `input.map`",
        ("reason",),
    ),
    Metric(
        "unknown_fields_total",
        "counter",
        "fields",
        "Fields of events that nobody here knows.",
        "a producer is ahead of this worker, or misspells a field",
    ),
    Metric(
        "verdicts_total",
        "counter",
        "verdicts",
        "Verdicts acknowledged by the broker.",
        "a sudden change of `violation` after an edit of a policy: test the policy",
        ("policy", "outcome"),
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
        "interventions_total",
        "counter",
        "interventions",
        "Interventions acknowledged by the broker.",
        "a surge of one action: look at its policy before the platform acts on more",
        ("action",),
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
        "replayed_records_total",
        "counter",
        "records",
        "Records that say they were put back from the dead letters.",
        "`refused`, or `believed` when nobody replays: a producer writes our headers",
        ("result",),
    ),
    Metric(
        "flood",
        "gauge",
        "0 or 1",
        "Whether intake is held because dead letters of this cause came in a flood.",
        "look at them, mend the cause, then `afterguard resume --accept CAUSE`",
        ("reason",),
    ),
    Metric(
        "duplicates_recognised_total",
        "counter",
        "events",
        "Events that had been judged and published before and were skipped.",
        _ROOM,
    ),
    Metric(
        "judge_faults_total",
        "counter",
        "requests",
        "Requests that the engine did not answer; judge_seconds_count has them all.",
        "`busy`: the engine is full or its server is away; `fault`: see the engine's log; `lost`: "
        "see engine_restarts_total",
        ("result",),
    ),
    Metric(
        "judge_retries_total",
        "counter",
        "requests",
        "Requests sent again.",
        "see judge_faults_total",
    ),
    Metric(
        "judge_seconds",
        "histogram",
        "seconds",
        "One request in the engine.",
        "grows with the queue; add workers or lower the effort",
        (),
        _ENGINE_SECONDS,
    ),
    Metric(
        "engine_up",
        "gauge",
        "0 or 1",
        "Whether the engine runs; 0 while it is started again.",
        "see engine_restarts_total and the engine's log",
    ),
    Metric(
        "engine_restarts_total",
        "counter",
        "restarts",
        "Times that the engine was started again in place.",
        "`died`, `hung`: look at memory, GPU and `quarantined_total`; `refused`: at its own log",
        ("cause",),
    ),
    Metric(
        "suspect_requests",
        "gauge",
        "requests",
        "Requests that were at an engine that died and are tried again, few at a time.",
        "for long: the engine dies again and again; see engine_restarts_total",
    ),
    Metric(
        "quarantined_total",
        "counter",
        "requests",
        "Requests given up since the engine or the worker died with them each time.",
        "look at their dead letters, reason `quarantined`; mend the engine before a replay",
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
        "time_to_intervention_seconds",
        "histogram",
        "seconds",
        "From the event's own time to the acknowledged intervention.",
        "compare with queue_seconds and judge_seconds to see where the time goes",
        (),
        _SECONDS,
    ),
    Metric("prompt_tokens_total", "counter", "tokens", "Tokens of prompts.", _ROOM),
    Metric(
        "cached_prompt_tokens_total",
        "counter",
        "tokens",
        "Of these, tokens from the prefix cache.",
        "a falling share: KV memory is short, or too many policies and efforts alternate",
    ),
    Metric("output_tokens_total", "counter", "tokens", "Tokens that the model wrote.", _ROOM),
    Metric(
        "in_flight_events",
        "gauge",
        "events",
        "Admitted and not settled.",
        "at its limit: the worker is saturated",
    ),
    Metric(
        "in_flight_tokens",
        "gauge",
        "tokens",
        "Estimated tokens admitted and not settled.",
        "at token_budget: the worker is saturated",
    ),
    Metric(
        "token_budget", "gauge", "tokens", "Intake pauses above it.", "intake.max_tokens_in_flight"
    ),
    Metric(
        "waiting_events", "gauge", "events", "Admitted and not yet at the engine.", "add workers"
    ),
    Metric(
        "paused_partitions",
        "gauge",
        "partitions",
        "Partitions that intake holds back.",
        "back-pressure at work; for long: add workers",
    ),
    Metric(
        "lag_records",
        "gauge",
        "records",
        "Records not yet taken.",
        "rising: add workers",
        ("topic", "partition"),
    ),
    Metric(
        "oldest_unsettled_seconds",
        "gauge",
        "seconds",
        "Age of the event that holds the commit back, since it was taken in.",
        "`afterguard why`; one partition alone: its oldest event; all: the engine or the broker",
        ("topic", "partition"),
    ),
    Metric(
        "committed_offset",
        "gauge",
        "offset",
        "Last committed offset.",
        "stands still while events arrive: see oldest_unsettled_seconds",
        ("topic", "partition"),
    ),
    Metric(
        "stuck_partitions",
        "gauge",
        "partitions",
        "Partitions whose oldest unsettled event has stood still for delivery.stuck_after_s.",
        "not zero: `afterguard why` on that worker names the event and the room it is in",
    ),
    Metric(
        "partition_admitted",
        "gauge",
        "events",
        "Admitted under this assignment: partition_settled plus partition_in_flight, always.",
        "the sum is wrong: a defect; report it with the log",
        ("topic", "partition"),
    ),
    Metric(
        "partition_settled",
        "gauge",
        "events",
        "Settled under this assignment.",
        "stands still while partition_in_flight does not fall: see stuck_partitions",
        ("topic", "partition"),
    ),
    Metric(
        "partition_in_flight",
        "gauge",
        "events",
        "Admitted under this assignment and not settled.",
        "one partition far above the others: `afterguard why` says what it waits for",
        ("topic", "partition"),
    ),
    Metric(
        "ledger_admitted",
        "gauge",
        "events",
        "Admitted since the start: ledger_settled, ledger_abandoned and in_flight_events together.",
        "the sum is wrong: a defect; report it with the log",
    ),
    Metric(
        "ledger_settled",
        "gauge",
        "events",
        "Settled since the start.",
        "stands still under traffic: `afterguard why`",
    ),
    Metric(
        "ledger_abandoned",
        "gauge",
        "events",
        "Given back to another worker since the start.",
        "many: rebalances are frequent or delivery.revoke_grace_s is short",
    ),
    Metric(
        "cache_requests_total",
        "counter",
        "lookups",
        "Lookups in the verdict cache.",
        "`away`: Redis does not answer",
        ("result",),
    ),
    Metric(
        "redis_away",
        "gauge",
        "0 or 1",
        "Whether Redis does not answer.",
        "see redis.url and the server",
    ),
    Metric(
        "redis_dropped_total",
        "counter",
        "writes",
        "Writes that were dropped; each may cost a repeat.",
        "Redis is slow or away",
    ),
    Metric(
        "records_skipped_by_retention_total",
        "counter",
        "records",
        "Input records that the broker deleted before they were read; they were never judged.",
        "not zero: the lag is longer than the retention of the topic; lengthen it and add workers",
        ("topic", "partition"),
    ),
    Metric(
        "broker_silent_seconds",
        "gauge",
        "seconds",
        "Since a broker last answered.",
        "at kafka.away_timeout_s the worker ends",
    ),
    Metric(
        "consumer_rebuilds_total",
        "counter",
        "rebuilds",
        "Consumers that were replaced because they read nothing or their group refused them.",
        "more than one a day: report it with the log",
        ("reason",),
    ),
    Metric(
        "producer_replacements_total",
        "counter",
        "replacements",
        "Producers that were replaced after a fault they cannot recover from.",
        "each may repeat outputs, under the same ids; look at the broker's log",
    ),
    Metric("build_info", "gauge", "1", "What runs here.", _ROOM, ("version", "engine", "model")),
)
