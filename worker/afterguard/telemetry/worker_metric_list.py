"""The metrics of the worker itself, and of what stands beside it."""

from typing import Final

from afterguard.telemetry.metric import Metric

WORKER_METRICS: Final[tuple[Metric, ...]] = (
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
        "trace_spans_total",
        "counter",
        "spans",
        "Spans of events, `exported` to the collector or lost; all 0 while tracing is off.",
        "`failed`: the collector takes none, see tracing.endpoint; `dropped`: it is too slow for "
        "so many, lower tracing.sample_share",
        ("result",),
    ),
    Metric(
        "build_info",
        "gauge",
        "1",
        "What runs here.",
        "none; it is the base of other figures",
        ("version", "engine", "model"),
    ),
)
