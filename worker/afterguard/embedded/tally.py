"""Tally: what an independent reader finds in the topics, from offset 0, after the run.

Uses nothing that the worker says of itself: neither its counters nor its logs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import InputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.stream.settings import TopicSettings

# Where a record stands, and the policy it must be judged under ("" when any verdict will do).
Owed = tuple[Coordinates, str]


@dataclass(slots=True)
class Tally:
    """The counts. Times are milliseconds from the event to the intervention's record."""

    events: int = 0
    verdicts: int = 0
    judged: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    interventions: int = 0
    dead_letters: int = 0
    lost: int = 0
    duplicates: int = 0
    verdicts_per_s: float = 0.0
    time_to_intervention_ms: dict[str, float | None] = field(default_factory=dict)
    prefix_cache_hit_ratio: float | None = None
    engine: str | None = None
    model: str | None = None
    audit: list[AuditRecord] = field(default_factory=list, repr=False)
    acted: list[Intervention] = field(default_factory=list, repr=False)

    def as_json(self) -> dict[str, Any]:
        """The counts alone."""
        return {
            "events": self.events,
            "verdicts": self.verdicts,
            "outcomes": dict(sorted(self.outcomes.items())),
            "interventions": self.interventions,
            "dead_letters": self.dead_letters,
            "lost": self.lost,
            "duplicates": self.duplicates,
            "verdicts_per_s": round(self.verdicts_per_s, 2),
            "time_to_intervention_ms": self.time_to_intervention_ms,
            "prefix_cache_hit_ratio": self.prefix_cache_hit_ratio,
            "engine": self.engine,
            "model": self.model,
        }


async def read_topic(bootstrap_servers: str, topic: str) -> list[InputRecord]:
    """Every committed record of a topic, from offset 0 to the end as it stands now."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=16 * 2**20,
        fetch_max_bytes=64 * 2**20,
    )
    await consumer.start()
    try:
        numbers = consumer.partitions_for_topic(topic) or set()
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        if not partitions:
            return []
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[InputRecord] = []
        while any([await consumer.position(it) < ends[it] for it in partitions]):
            batches = await consumer.getmany(timeout_ms=1000)
            found += [
                InputRecord(
                    Coordinates(topic, it.partition, it.offset),
                    it.key,
                    it.value,
                    tuple(it.headers),
                    it.timestamp,
                )
                for records in batches.values()
                for it in records
            ]
        return found
    finally:
        await consumer.stop()


async def tally(
    bootstrap_servers: str,
    topics: TopicSettings,
    *,
    policies_for: Callable[[InputRecord], Iterable[str]] | None = None,
) -> Tally:
    """Read all four topics and count.

    Args:
        bootstrap_servers: The broker.
        topics: Their names.
        policies_for: The policies an input record must have been judged under; without it any
            one verdict or dead letter accounts for a record.
    """
    events = await read_topic(bootstrap_servers, topics.events)
    audit = await read_topic(bootstrap_servers, topics.audit)
    acted = await read_topic(bootstrap_servers, topics.interventions)
    letters = await read_topic(bootstrap_servers, topics.dead_letters)
    return count(events, audit, acted, letters, policies_for)


def count(
    events: Sequence[InputRecord],
    audit: Sequence[InputRecord],
    acted: Sequence[InputRecord],
    letters: Sequence[InputRecord],
    policies_for: Callable[[InputRecord], Iterable[str]] | None = None,
) -> Tally:
    """The counts over records as they were read; pure."""
    verdicts = [AuditRecord.model_validate_json(it.value or b"") for it in audit]
    interventions = [Intervention.model_validate_json(it.value or b"") for it in acted]
    dead = [DeadLetter.model_validate_json(it.value or b"") for it in letters]
    result = Tally(events=len(events), verdicts=len(verdicts), interventions=len(interventions))
    result.audit, result.acted = verdicts, interventions
    result.outcomes = Counter(verdict.outcome.value for verdict in verdicts)
    rejected = {Coordinates(it.topic, it.partition, it.offset) for it in dead}
    result.outcomes["rejected"] = len(
        {(it.topic, it.partition, it.offset) for it in dead if it.outcome == "rejected"}
    )
    result.outcomes += Counter()
    result.dead_letters = len(rejected)
    result.lost = len(_owed(events, policies_for) - _paid(verdicts) - {(c, "") for c in rejected})
    ids = [str(it.verdict_id) for it in verdicts]
    ids += [str(it.intervention_id) for it in interventions]
    ids += [str(it.dead_letter_id) for it in dead]
    result.duplicates = len(ids) - len(set(ids))
    result.time_to_intervention_ms = _percentiles(
        [
            max(0.0, record.timestamp_ms - _occurred_ms(it, record))
            for it, record in zip(interventions, acted, strict=True)
        ]
    )
    _engine_figures(result, verdicts)
    return result


def _owed(
    events: Sequence[InputRecord],
    policies_for: Callable[[InputRecord], Iterable[str]] | None,
) -> set[Owed]:
    return {
        (record.coordinates, policy)
        for record in events
        for policy in ((policies_for(record) if policies_for else ()) or ("",))
    }


def _paid(verdicts: Sequence[AuditRecord]) -> set[Owed]:
    paid: set[Owed] = set()
    for verdict in verdicts:
        where = Coordinates(verdict.topic, verdict.partition, verdict.offset)
        paid |= {(where, verdict.policy_id or ""), (where, "")}
    return paid


def _occurred_ms(intervention: Intervention, record: InputRecord) -> float:
    decided = intervention.decided_at.timestamp() * 1000
    if intervention.event_to_intervention_ms == 0:
        return float(record.timestamp_ms)
    return decided - intervention.event_to_intervention_ms


def _engine_figures(result: Tally, verdicts: Sequence[AuditRecord]) -> None:
    judged = [it for it in verdicts if it.attempts > 0]
    result.judged = len(judged)
    if not judged:
        return
    result.engine, result.model = judged[0].engine, judged[0].model
    prompt = sum(it.prompt_tokens for it in judged)
    if prompt:
        result.prefix_cache_hit_ratio = round(
            sum(it.cached_prompt_tokens for it in judged) / prompt, 4
        )
    began = min((it.timings.received_at for it in judged), default=datetime.now(UTC))
    ended = max((it.timings.published_at for it in judged), default=began)
    seconds = (ended - began).total_seconds()
    result.verdicts_per_s = len(judged) / seconds if seconds else 0.0


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    ordered = sorted(values)
    if not ordered:
        return {"p50": None, "p95": None, "p99": None}
    return {
        f"p{share}": round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)], 1)
        for share in (50, 95, 99)
    }
