"""What the stream asks of Kafka and Redis: bytes a second, partitions, memory."""

from math import ceil
from typing import Final, NamedTuple

from afterguard.sizing.figures import Assumption, Basis
from afterguard.sizing.workload import Traffic, Work

BYTES_A_TOKEN: Final = 4.5
EVENT_BYTES: Final = 200
VERDICT_BYTES: Final = 1_100
INTERVENTION_BYTES: Final = 1_050
KEPT_BYTES: Final = 210
SEEN_BYTES: Final = 120
REPLICATION: Final = 3
GROWTH: Final = 4
PARTITION_BYTES_PER_S: Final = 5_000_000

_MEASURED: Final = "records that a worker wrote for a short message, read back, headers included"
_REDIS: Final = "MEMORY USAGE of Valkey for entries of such keys and lengths"


class Streams(NamedTuple):
    """What Kafka and Redis have to hold.

    Attributes:
        in_bytes_per_s: Of the input topic at the peak, one copy.
        audit_bytes_per_s: Of verdicts at the peak, one copy.
        intervention_bytes_per_s: At the peak, one copy.
        disk_bytes_a_day: Of all topics with all copies, on average.
        partitions: Of the input topic.
        redis_bytes: For `redis.verdict_ttl_s` and `redis.seen_ttl_s` at their defaults.
        rests_on: What this rests on.
    """

    in_bytes_per_s: float
    audit_bytes_per_s: float
    intervention_bytes_per_s: float
    disk_bytes_a_day: float
    partitions: int
    redis_bytes: float
    rests_on: tuple[Assumption, ...]


def streams(
    traffic: Traffic,
    work: Work,
    policies: int,
    workers: int,
    *,
    acted_on: float,
    ttl_s: tuple[int, int],
) -> Streams:
    """Of a stream that so many workers judge.

    Args:
        traffic: The stream.
        work: Of one event.
        policies: That apply to an event.
        workers: At the peak.
        acted_on: Share of events that lead to an intervention.
        ttl_s: For how long judgements and events are kept in Redis.
    """
    peak = traffic.events_per_s * traffic.peak_factor
    event = EVENT_BYTES + traffic.content_tokens * BYTES_A_TOKEN
    rationale = work.written.likely * BYTES_A_TOKEN
    verdicts = policies * VERDICT_BYTES + traffic.judged_share * rationale
    interventions = acted_on * INTERVENTION_BYTES
    each = event + verdicts + interventions
    kept = policies * KEPT_BYTES
    fresh = traffic.events_per_s * traffic.judged_share
    redis = fresh * ttl_s[0] * kept + traffic.events_per_s * ttl_s[1] * SEEN_BYTES
    return Streams(
        peak * event,
        peak * verdicts,
        peak * interventions,
        traffic.events_per_s * each * 86_400 * REPLICATION,
        partitions(workers, peak * event),
        redis,
        _rests_on(acted_on, ttl_s),
    )


def partitions(workers: int, bytes_per_s: float) -> int:
    """For growth: a number that many numbers of workers divide, as partitions are never taken back.

    Args:
        workers: At today's peak.
        bytes_per_s: Into the input topic.
    """
    wanted = max(12, GROWTH * workers, ceil(bytes_per_s / PARTITION_BYTES_PER_S))
    return 12 * ceil(wanted / 12)


def _rests_on(acted_on: float, ttl_s: tuple[int, int]) -> tuple[Assumption, ...]:
    return (
        Assumption(
            "size of records",
            f"event {EVENT_BYTES} B and {BYTES_A_TOKEN} B a token of content; verdict "
            f"{VERDICT_BYTES:,} B and its rationale; intervention {INTERVENTION_BYTES:,} B",
            Basis.MEASURED,
            f"{_MEASURED}; {BYTES_A_TOKEN} B a token is English prose",
        ),
        Assumption(
            "events that lead to an intervention",
            f"{acted_on:.0%}",
            Basis.ASSUMED,
            "yours is afterguard_interventions_total by afterguard_events_received_total",
        ),
        Assumption(
            "memory of Redis",
            f"{KEPT_BYTES} B for each judgement, kept {ttl_s[0] / 3600:.0f} h; {SEEN_BYTES} B for "
            f"each event, known {ttl_s[1] / 86400:.0f} days",
            Basis.MEASURED,
            _REDIS,
        ),
        Assumption(
            "partitions",
            f"{GROWTH} times the workers of today's peak, a multiple of 12",
            Basis.ASSUMED,
            "they can be added and not taken back, and adding moves conversations between them",
        ),
    )
