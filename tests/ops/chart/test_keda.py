"""What KEDA is told about the number of workers, and what it is never told."""

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from tests.ops.chart.matrix import VALUES, keda
from tests.ops.chart.rendered import Document, minimal, of_kind, only, refused, render
from tests.ops.fetched import tool

KEYS: Final = json.loads(Path(__file__).with_name("keda_trigger_keys.json").read_text())
PROMETHEUS: Final = {"enabled": True, "serverAddress": "http://prometheus:9090"}
WITH_KEDA: Final = [name for name in VALUES if "keda" in name or name == "all on"]


def scaled(**said: Any) -> Document:
    """The ScaledObject with this said of KEDA."""
    return only(render(minimal(keda(**said))), "ScaledObject")


def trigger(scaled_object: Document, kind: str) -> Document:
    (found,) = [it for it in scaled_object["spec"]["triggers"] if it["type"] == kind]
    return dict(found)


def refusal(**said: Any) -> str:
    return refused(minimal(keda(**said)))


@pytest.mark.parametrize("name", WITH_KEDA)
def test_every_field_of_a_trigger_is_known_to_keda_and_a_string(name: str) -> None:
    for it in only(render(VALUES[name]), "ScaledObject")["spec"]["triggers"]:
        assert all(isinstance(value, str) for value in it["metadata"].values())
        if it["type"] in KEYS:
            assert set(it["metadata"]) <= set(KEYS[it["type"]]["metadata"])


@pytest.mark.parametrize("name", WITH_KEDA)
def test_the_number_of_workers_is_kedas_alone(name: str) -> None:
    documents = render(VALUES[name])
    deployment = only(documents, "Deployment")
    assert "replicas" not in deployment["spec"]
    target = only(documents, "ScaledObject")["spec"]["scaleTargetRef"]
    assert target == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": deployment["metadata"]["name"],
    }


def test_without_keda_the_deployment_says_how_many() -> None:
    documents = render(minimal({"replicaCount": 3}))
    assert only(documents, "Deployment")["spec"]["replicas"] == 3
    assert not of_kind(documents, "ScaledObject")


def test_the_lag_is_that_of_our_group_and_counted_from_where_workers_begin() -> None:
    values = minimal(keda()) | {"kafka": {"bootstrapServers": "a:1,b:2", "groupId": "night"}}
    fields = trigger(only(render(values), "ScaledObject"), "kafka")["metadata"]
    assert (fields["bootstrapServers"], fields["consumerGroup"]) == ("a:1,b:2", "night")
    assert (fields["topic"], fields["offsetResetPolicy"]) == ("chat.events", "earliest")


def test_a_partition_that_stands_still_counts_and_an_unknown_offset_starts_nobodys_end() -> None:
    fields = trigger(scaled(), "kafka")["metadata"]
    assert fields["excludePersistentLag"] == "false"
    assert fields["scaleToZeroOnInvalidOffset"] == "false"


def test_an_outage_of_metrics_takes_no_worker_away() -> None:
    spec = scaled(oldestAge=PROMETHEUS, minReplicaCount=2)["spec"]
    assert spec["fallback"] == {
        "failureThreshold": 3,
        "replicas": 2,
        "behavior": "currentReplicasIfHigher",
    }
    assert trigger({"spec": spec}, "prometheus")["metadata"]["ignoreNullValues"] == "false"


def test_workers_go_one_by_one_after_longer_than_a_model_loads() -> None:
    behavior = scaled()["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"][
        "scaleDown"
    ]
    assert 900 <= behavior["stabilizationWindowSeconds"] <= 3600
    assert [(it["type"], it["value"]) for it in behavior["policies"]] == [("Pods", 1)]
    assert "stabilizationWindowSeconds" in refusal(
        behavior={"scaleDown": {"stabilizationWindowSeconds": 3601}}
    )


def test_a_lag_is_shared_out_and_an_age_is_a_multiple_of_the_workers_that_judge() -> None:
    spec = scaled(oldestAge=PROMETHEUS)
    assert trigger(spec, "kafka")["metricType"] == "AverageValue"
    assert trigger(spec, "prometheus")["metricType"] == "Value"
    shared = scaled(oldestAge=PROMETHEUS | {"metricType": "AverageValue"})
    assert trigger(shared, "prometheus")["metricType"] == "AverageValue"


def test_at_least_one_worker_and_at_most_one_for_each_partition() -> None:
    spec = scaled()["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (1, 12)
    assert scaled(maxReplicaCount=6)["spec"]["maxReplicaCount"] == 6


def test_marks_of_transactions_alone_start_no_worker() -> None:
    said = {"minReplicaCount": 0, "lag": {"transactionalProducers": True}}
    assert trigger(scaled(**said), "kafka")["metadata"]["activationLagThreshold"] == "12"
    assert trigger(scaled(), "kafka")["metadata"]["activationLagThreshold"] == "0"


def test_more_fields_of_the_trigger_can_be_said_and_win() -> None:
    fields = trigger(scaled(lag={"metadata": {"version": "2.8.0", "topic": "x"}}), "kafka")
    assert (fields["metadata"]["version"], fields["metadata"]["topic"]) == ("2.8.0", "x")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"maxReplicaCount": 13}, "13 while topics.partitions is 12"),
        ({"minReplicaCount": 13}, "minReplicaCount is 13, above the 12"),
        ({"fallback": {"replicas": 13}}, "fallback.replicas is 13, above the 12"),
        (
            {"cron": [{"timezone": "UTC", "start": "0 8 * * *", "end": "0 9 * * *"}]},
            "desiredReplicas",
        ),
        (
            {"lag": {"limitToPartitionsWithLag": True, "allowIdleConsumers": True}},
            "allowIdleConsumers: KEDA takes one of the two",
        ),
        (
            {
                "lag": {
                    "limitToPartitionsWithLag": True,
                    "metadata": {"ensureEvenDistributionOfPartitions": "true"},
                }
            },
            "ensureEvenDistributionOfPartitions: KEDA takes one of the two",
        ),
        (
            {"lag": {"transactionalProducers": True, "activationThreshold": 11}},
            "activationThreshold is 11",
        ),
        ({"oldestAge": {"enabled": True}}, "oldestAge.serverAddress is needed"),
        ({"paused": True, "pausedReplicas": 2}, "give one of the two"),
        ({"lag": {"metadata": {"version": 2}}}, "version"),
        ({"maxReplicas": 3}, "maxReplicas"),
    ],
)
def test_what_contradicts_itself_is_refused_with_the_reason(
    said: dict[str, Any], told: str
) -> None:
    assert told in refusal(**said)


def test_without_a_limit_nobody_scales() -> None:
    told = refused(minimal({"autoscaling": {"keda": {"enabled": True}}}))
    assert "topics.partitions is needed" in told
    only(
        render(minimal({"autoscaling": {"keda": {"enabled": True, "maxReplicaCount": 4}}})),
        "ScaledObject",
    )


def test_more_workers_than_partitions_may_stand_by_when_that_is_said() -> None:
    said = {"maxReplicaCount": 14, "lag": {"allowIdleConsumers": True}}
    assert scaled(**said)["spec"]["maxReplicaCount"] == 14


def test_the_number_can_be_held() -> None:
    assert scaled(paused=True)["metadata"]["annotations"] == {"autoscaling.keda.sh/paused": "true"}
    held = scaled(pausedReplicas=0)["metadata"]["annotations"]
    assert held == {"autoscaling.keda.sh/paused-replicas": "0"}
    assert "annotations" not in scaled()["metadata"]


def test_hours_and_triggers_of_others_are_passed_on() -> None:
    hours = {"timezone": "UTC", "start": "0 8 * * *", "end": "0 9 * * *", "desiredReplicas": 8}
    more = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "80"}}
    triggers = scaled(cron=[hours], extraTriggers=[more])["spec"]["triggers"]
    assert triggers[1]["metadata"] == hours | {"desiredReplicas": "8"}
    assert triggers[2] == more


def test_the_age_is_none_while_workers_are_idle_and_unknown_while_none_is_read(
    tmp_path: Path,
) -> None:
    query = trigger(scaled(oldestAge=PROMETHEUS), "prometheus")["metadata"]["query"]
    rules = {"groups": [{"name": "g", "rules": [{"record": "age", "expr": query}]}]}
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rules))
    ours = 'namespace="moderation",pod="afterguard-1"'
    theirs = 'namespace="moderation",pod="other-1"'
    cases = {
        "30": {f'afterguard_oldest_unjudged_seconds{{{ours},lane="live"}}': "30"},
        "0": {f"afterguard_build_info{{{ours}}}": "1"},
        "5": {
            f'afterguard_oldest_unjudged_seconds{{{ours},lane="backfill"}}': "900",
            f'afterguard_oldest_unjudged_seconds{{{ours},lane="unread"}}': "5",
        },
        "": {f'afterguard_oldest_unjudged_seconds{{{theirs},lane="live"}}': "30"},
    }
    tests = [
        {
            "interval": "1m",
            "input_series": [
                {"series": it, "values": f"{value}x3"} for it, value in series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": "age",
                    "eval_time": "2m",
                    "exp_samples": [{"labels": "age", "value": float(age)}] if age else [],
                }
            ],
        }
        for age, series in cases.items()
    ]
    (tmp_path / "tests.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests})
    )
    done = subprocess.run(
        [tool("promtool"), "test", "rules", "tests.yaml"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
