"""The network policy lets in readers of metrics, and lets out what the settings name."""

from typing import Any

import pytest
from tests.ops.chart.rendered import HELMS, Document, Helm, minimal, of_kind, only, render
from tests.ops.chart.workload import VLLM_FREE

pytestmark = pytest.mark.parametrize("helm", HELMS)

PEER = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "there"}}}]


def policy(helm: Helm, values: dict[str, Any], **network: Any) -> Document:
    chosen = {**values, "networkPolicy": {"enabled": True, **network}}
    spec: Document = only(render(minimal(chosen), helm=helm), "NetworkPolicy")["spec"]
    return spec


def ways_out(spec: Document) -> list[tuple[list[int], Any]]:
    return [([port["port"] for port in it["ports"]], it.get("to")) for it in spec["egress"]]


def test_without_a_word_there_is_none(helm: Helm) -> None:
    assert not of_kind(render(minimal(), helm=helm), "NetworkPolicy")


def test_only_readers_of_metrics_come_in(helm: Helm) -> None:
    spec = policy(helm, VLLM_FREE, metricsFrom=PEER)
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": 9108}], "from": PEER}]


def test_names_brokers_and_server_are_all_that_is_reached(helm: Helm) -> None:
    values = {**VLLM_FREE, "kafka": {"bootstrapServers": "a:9093,b:9093, c"}}
    assert ways_out(policy(helm, values, kafkaTo=PEER, engineTo=PEER)) == [
        ([53, 53], None),
        ([9093, 9092], PEER),
        ([8000], PEER),
    ]


def test_redis_and_traces_are_reached_when_they_are_named(helm: Helm) -> None:
    values = {
        **VLLM_FREE,
        "redis": {"url": "rediss://me@valkey:6380/0"},
        "settings": {"tracing": {"enabled": True, "endpoint": "https://collector/otlp"}},
    }
    spec = policy(helm, values, redisTo=PEER)
    assert ([6380], PEER) in ways_out(spec)
    assert ([443], None) in ways_out(spec)


def test_the_model_hub_is_reached_when_it_is_asked_for(helm: Helm) -> None:
    assert ([443], None) in ways_out(policy(helm, {}, modelHub=True))
    offline = {"model": {"cache": {"type": "existingClaim", "existingClaim": "models"}}}
    assert ([443], None) not in ways_out(policy(helm, offline))


def test_more_rules_are_taken(helm: Helm) -> None:
    rule = {"ports": [{"protocol": "TCP", "port": 8125}]}
    spec = policy(helm, VLLM_FREE, extraEgress=[rule], extraIngress=[rule], kafkaPorts=[9094])
    assert spec["egress"][-1] == rule
    assert spec["ingress"][-1] == rule
    assert ([9092, 9094], None) in ways_out(spec)


def test_it_is_about_workers_alone(helm: Helm) -> None:
    chosen = {**VLLM_FREE, "networkPolicy": {"enabled": True}}
    documents = render(minimal(chosen), helm=helm)
    labels = only(documents, "Deployment")["spec"]["selector"]
    assert only(documents, "NetworkPolicy")["spec"]["podSelector"] == labels
