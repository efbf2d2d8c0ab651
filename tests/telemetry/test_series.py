"""How many series a worker can show is known beforehand."""

from itertools import product
from typing import get_args

from prometheus_client.parser import text_string_to_metric_families
from tests.samples import policy

from afterguard.contracts.errors import RejectReason
from afterguard.contracts.words import Action, Lane, Outcome, Reason
from afterguard.flow.agreement import Agreement
from afterguard.flow.second_look import Doubt, Result
from afterguard.telemetry import prefilter_metrics
from afterguard.telemetry.exposition import page
from afterguard.telemetry.metrics import Metrics
from afterguard.telemetry.series import MOST


def all_on(policies: int, partitions: int) -> Metrics:
    """Everything that can be counted was counted."""
    metrics = Metrics()
    metrics.describe_build(engine="vllm", model="m")
    for reason in (*RejectReason, *Reason, Outcome.FAILED):
        metrics.dead_letter(reason.value)
        metrics.flood.labels(reason.value).set(0)
    metrics.policies.compute.show_share("tokens", 0.1)
    metrics.policies.compute.show_share("engine_seconds", 0.1)
    metrics.policies.compute.show_budget(0.1, dict.fromkeys(Lane, 0))
    for outcome, action in product(Outcome, Action):
        metrics.verdict(None, outcome, action)
    for number in range(policies):
        _all_of(metrics, f"p-{number}")
    versions = [
        policy(id=f"p-{number}", stage=stage, version=f"{number:015x}{stage[0] == 's':x}")
        for number, stage in product(range(policies), ("active", "shadow"))
    ]
    metrics.policies.in_force(versions)
    metrics.policies.store.refusals([f"p-{number}" for number in range(policies)])
    held = {("chat.events", number) for number in range(partitions)}
    metrics.partitions.keep(held)
    for topic, number in held:
        _all_of_partition(metrics, topic, number)
    return metrics


def _all_of(metrics: Metrics, policy_id: str) -> None:
    for outcome, action in product(Outcome, Action):
        metrics.verdict(policy_id, outcome, action)
    for outcome in Outcome:
        metrics.policies.shadow_verdict(policy_id, outcome)
    for agreement in Agreement:
        metrics.policies.shadow_agreement(policy_id, agreement.value)
    for why, came in product(Doubt, Result):
        metrics.policies.compute.second_look(policy_id, why.value, came.value)
    prefilter = metrics.policies.prefilter
    for result in get_args(prefilter_metrics.Result):
        prefilter.event(policy_id, result)
    for bypassed in (True, False):
        prefilter.violation(policy_id, bypassed=bypassed, bypass_share=0.01)
    metrics.policies._target_recall.labels(policy_id).set(0.9)


def _all_of_partition(metrics: Metrics, topic: str, number: int) -> None:
    partitions = metrics.partitions
    for gauge in (
        partitions.lag_records,
        partitions.oldest_unsettled_seconds,
        partitions.committed_offset,
        partitions.admitted,
        partitions.settled,
        partitions.in_flight,
    ):
        gauge.labels(topic, number).set(0)
    partitions.oldest_unjudged(topic, number, {})
    metrics.records_skipped_by_retention.labels(topic, number).inc()


def counted(policies: int, partitions: int) -> int:
    text = page([all_on(policies, partitions).registry]).text.decode()
    return sum(len(family.samples) for family in text_string_to_metric_families(text))


def test_the_page_of_metrics_tells_how_many_series_there_are_at_most() -> None:
    fixed = counted(0, 0)
    assert fixed == MOST.fixed
    assert counted(3, 0) == fixed + 3 * MOST.policy
    assert counted(0, 5) == fixed + 5 * MOST.partition
