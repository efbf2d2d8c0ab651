"""The metrics as objects on a registry of their own, with the hot ones bound once."""

from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge

from afterguard import __version__
from afterguard.contracts.errors import RejectReason
from afterguard.contracts.words import Action, Lane, Outcome, Reason
from afterguard.telemetry.distribution import Distribution, Spread
from afterguard.telemetry.metric import Metric
from afterguard.telemetry.metric_list import METRICS
from afterguard.telemetry.partition_metrics import PartitionMetrics
from afterguard.telemetry.policy_metrics import PolicyMetrics
from afterguard.telemetry.room_metrics import RoomMetrics
from afterguard.telemetry.tally import Tallies, Tally

# Why a record or an event becomes a dead letter.
_CAUSES: Final = (
    *RejectReason,
    Reason.RETRIES_EXHAUSTED,
    Reason.REQUEST_REFUSED,
    Reason.INTERNAL_FAULT,
    Reason.QUARANTINED,
)
# They begin at 0, or an increase would not see the first one.
_FROM_ZERO: Final = {
    "dead_letters_total": _CAUSES,
    "flood": _CAUSES,
    "consumer_rebuilds_total": ("stalled", "refused", "cut_off"),
}


class Metrics:
    """Counts and shows. Each name of the list is an attribute, without unit suffix `_total`.

    Children with labels from small closed sets are looked up once: a look-up for every event
    would cost as much as decoding it.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        # Tallies first: what is registered before is collected before.
        self._tallies = tallies = Tallies(self.registry)
        made = _all_made(self.registry)
        self.events_received: Counter = made["events_received_total"]
        self.unknown_fields: Counter = made["unknown_fields_total"]
        self.duplicates_recognised: Counter = made["duplicates_recognised_total"]
        self.judge_retries: Counter = made["judge_retries_total"]
        self.judge_seconds: Spread = made["judge_seconds"].labels()
        self.time_to_intervention = {
            lane: made["time_to_intervention_seconds"].labels(lane.value) for lane in Lane
        }
        self.rooms = RoomMetrics(made, tallies)
        self.partitions = PartitionMetrics(made)
        self.engine_slots: Gauge = made["engine_slots"]
        self.engine_requests: Gauge = made["engine_requests"]
        self.prompt_tokens = tallies.of(made["prompt_tokens_total"])
        self.cached_prompt_tokens = tallies.of(made["cached_prompt_tokens_total"])
        self.output_tokens = tallies.of(made["output_tokens_total"])
        self.in_flight_events: Gauge = made["in_flight_events"]
        self.in_flight_tokens: Gauge = made["in_flight_tokens"]
        self.token_budget: Gauge = made["token_budget"]
        self.waiting_events: Gauge = made["waiting_events"]
        self.paused_partitions: Gauge = made["paused_partitions"]
        self.stuck_partitions: Gauge = made["stuck_partitions"]
        self.ledger_admitted: Gauge = made["ledger_admitted"]
        self.ledger_settled: Gauge = made["ledger_settled"]
        self.ledger_abandoned: Gauge = made["ledger_abandoned"]
        self.engine_up: Gauge = made["engine_up"]
        self.suspects: Gauge = made["suspect_requests"]
        self.quarantined: Counter = made["quarantined_total"]
        self.redis_away: Gauge = made["redis_away"]
        self.redis_dropped: Counter = made["redis_dropped_total"]
        self.records_skipped_by_retention: Counter = made["records_skipped_by_retention_total"]
        self.broker_silent_seconds: Gauge = made["broker_silent_seconds"]
        self.producer_replacements: Counter = made["producer_replacements_total"]
        self.consumer_rebuilds: Counter = made["consumer_rebuilds_total"]
        self.rejected = {
            reason: made["events_rejected_total"].labels(reason.value) for reason in RejectReason
        }
        self.interventions = {
            action: tallies.of(made["interventions_total"].labels(action.value))
            for action in Action
        }
        self.queue_seconds = {lane: made["queue_seconds"].labels(lane.value) for lane in Lane}
        self.unasked = {
            (reason, lane): made["unasked_events_total"].labels(reason.value, lane.value)
            for reason in (
                Reason.DEADLINE_PASSED,
                Reason.SHED_OVERLOAD,
                Reason.SHED_COMPUTE_BUDGET,
            )
            for lane in Lane
        }
        self.cache_requests = {
            result: tallies.of(made["cache_requests_total"].labels(result))
            for result in ("hit", "miss", "away")
        }
        self.judge_faults = {
            result: made["judge_faults_total"].labels(result)
            for result in ("busy", "fault", "lost", "refused", "unforeseen")
        }
        self.engine_restarts = {
            cause: made["engine_restarts_total"].labels(cause)
            for cause in ("died", "hung", "refused")
        }
        self.flood: Gauge = made["flood"]
        self.replayed = {
            told: made["replayed_records_total"].labels(told) for told in ("believed", "refused")
        }
        self.trace_spans = {
            result: made["trace_spans_total"].labels(result)
            for result in ("exported", "failed", "dropped")
        }
        self.policies = PolicyMetrics(made, tallies)
        self._dead_letters: Counter = made["dead_letters_total"]
        self._verdicts: Counter = made["verdicts_total"]
        self._verdict_tallies: dict[tuple[str | None, Outcome, Action], Tally] = {}
        self._build: Gauge = made["build_info"]

    def verdict(self, policy_id: str | None, outcome: Outcome, action: Action) -> None:
        """Count one acknowledged verdict; policy ids come from the loaded policies alone."""
        key = policy_id, outcome, action
        tally = self._verdict_tallies.get(key)
        if tally is None:
            child = self._verdicts.labels(policy_id or "", outcome.value, action.value)
            tally = self._verdict_tallies[key] = self._tallies.of(child)
        tally.total += 1

    def dead_letter(self, reason: str) -> None:
        """Count one event that went to the dead letters."""
        self._dead_letters.labels(reason).inc()

    def describe_build(self, *, engine: str, model: str) -> None:
        """Show what runs here."""
        self._build.labels(__version__, engine, model).set(1)


def _all_made(registry: CollectorRegistry) -> dict[str, Any]:
    made = {metric.name: _make(metric, registry) for metric in METRICS}
    for name, values in _FROM_ZERO.items():
        for value in values:
            made[name].labels(value)
    return made


def _make(metric: Metric, registry: CollectorRegistry) -> Any:  # noqa: ANN401
    name, text = f"afterguard_{metric.name}", f"{metric.meaning} Unit: {metric.unit}."
    match metric.kind:
        case "counter":
            return Counter(name, text, metric.labels, registry=registry)
        case "gauge":
            return Gauge(name, text, metric.labels, registry=registry)
        case "histogram":
            return Distribution(
                name, text, metric.labels, buckets=metric.buckets, registry=registry
            )
