"""What contradicts itself is refused before anything is changed, in one sentence that names it."""

import re
from typing import Any, Final

import pytest
from tests.ops.chart.rendered import CHART, HELMS, Helm, minimal, refused, render

SASL: Final = {"securityProtocol": "sasl_ssl"}
SCRAM: Final = {"mechanism": "SCRAM-SHA-512", "username": "me", "existingSecret": "login"}
OPENAI: Final = {"kind": "openai", "baseUrl": "http://vllm:8000/v1"}

CHECKS: Final = (
    "_checks.tpl",
    "_checks_engine.tpl",
    "_checks_pod.tpl",
    "_checks_repeats.tpl",
    "_checks_stream.tpl",
)

# Values over the least ones, and a part of what must be said.
CONTRADICTIONS: Final[list[tuple[dict[str, Any], str]]] = [
    # Brokers.
    ({"kafka": {"bootstrapServers": ""}}, "kafka.bootstrapServers is needed"),
    ({"kafka": {"tls": {"existingSecret": "s"}}}, "kafka.tls.existingSecret has no meaning"),
    ({"kafka": {"tls": {"caSecret": "s"}}}, "kafka.tls.caSecret has no meaning"),
    (
        {"kafka": {"securityProtocol": "ssl", "tls": {"caSecret": "s", "caKey": ""}}},
        "kafka.tls.caKey is empty",
    ),
    (
        {"kafka": {"securityProtocol": "ssl", "tls": {"certKey": "c"}}},
        "keys of kafka.tls.existingSecret",
    ),
    (
        {"kafka": {"securityProtocol": "ssl", "tls": {"existingSecret": "s", "keyKey": "k"}}},
        "kafka.tls.keyKey is set without",
    ),
    (
        {"kafka": {"securityProtocol": "ssl", "tls": {"keyPasswordKey": "k"}}},
        "kafka.tls.keyPasswordKey is set without",
    ),
    # Log-in.
    ({"kafka": {"sasl": SCRAM}}, "kafka.sasl.mechanism has no meaning"),
    ({"kafka": SASL}, "kafka.sasl.mechanism is needed"),
    (
        {"kafka": {**SASL, "sasl": {**SCRAM, "existingSecret": ""}}},
        "kafka.sasl.existingSecret is needed for SCRAM-SHA-512",
    ),
    ({"kafka": {**SASL, "sasl": {**SCRAM, "username": ""}}}, "kafka.sasl.username is needed"),
    (
        {"kafka": {**SASL, "sasl": {**SCRAM, "usernameKey": "u"}}},
        "kafka.sasl.username and kafka.sasl.usernameKey",
    ),
    (
        {"kafka": {**SASL, "sasl": {**SCRAM, "tokenKey": "t"}}},
        "kafka.sasl.tokenKey has no meaning with SCRAM",
    ),
    ({"kafka": {**SASL, "sasl": {"mechanism": "OAUTHBEARER"}}}, "OAUTHBEARER needs a token"),
    (
        {
            "kafka": {
                **SASL,
                "sasl": {
                    "mechanism": "OAUTHBEARER",
                    "tokenProvider": "a:b",
                    "serviceAccountToken": {"audience": "x"},
                },
            }
        },
        "give one of them",
    ),
    (
        {
            "kafka": {
                **SASL,
                "sasl": {"mechanism": "OAUTHBEARER", "tokenProvider": "a:b", "username": "me"},
            }
        },
        "kafka.sasl.username has no meaning with OAUTHBEARER",
    ),
    # Redis.
    ({"redis": {"urlKey": "url"}}, "redis.urlKey is a key of redis.existingSecret"),
    (
        {"redis": {"url": "redis://r", "existingSecret": "s", "urlKey": "url"}},
        "redis.url and redis.urlKey",
    ),
    ({"redis": {"existingSecret": "s"}}, "redis.existingSecret is set and no address"),
    ({"redis": {"username": "me"}}, "redis.username is set and no address"),
    ({"redis": {"tls": {"existingSecret": "s"}}}, "redis.tls.existingSecret is set and no address"),
    (
        {"redis": {"url": "redis://r", "tls": {"existingSecret": "s"}}},
        "redis.tls.existingSecret has no meaning",
    ),
    ({"redis": {"url": "redis://r", "username": "me"}}, "redis.username needs a password"),
    (
        {"redis": {"url": "rediss://r", "tls": {"existingSecret": "s", "keyKey": "k"}}},
        "redis.tls.keyKey is set without",
    ),
    # Policies.
    (
        {"policies": {"files": {"a.md": "x"}, "existingConfigMap": "mine"}},
        "policies.files and policies.existingConfigMap",
    ),
    ({"policies": {"files": {"a.markdown": "x"}}}, '"a.markdown" is no name of a policy'),
    ({"policies": {"files": {"README.md": "x"}}}, '"README.md" is never read'),
    # Engine and GPUs.
    ({"engine": {"kind": "openai"}}, "engine.baseUrl is needed when engine.kind is openai"),
    ({"engine": {"baseUrl": "http://vllm:8000/v1"}}, "engine.baseUrl has no meaning"),
    ({"engine": {"existingSecret": "s"}}, "engine.existingSecret has no meaning"),
    ({"engine": OPENAI, "gpu": {"count": 1}}, "the GPU would lie idle"),
    ({"gpu": {"count": 0}}, "gpu.count is 0 while engine.kind is vllm"),
    ({"gpu": {"count": 0}, "image": {"tag": "0.1.0-gpu"}}, "gpu.count is 0 while engine.kind"),
    ({"image": {"tag": "0.1.0-cpu"}}, "has no engine inside"),
    (
        {"settings": {"engine": {"args": {"tensor_parallel_size": 2}}}},
        "gpu.count is 1 while settings.engine.args asks for 2",
    ),
    (
        {
            "gpu": {"count": 4},
            "settings": {"engine": {"args": {"tensor_parallel_size": 2}}},
        },
        "gpu.count is 4 while settings.engine.args asks for 2",
    ),
    ({"resources": {"limits": {"nvidia.com/gpu": 2}}}, "GPUs are asked for by gpu.count"),
    # Model.
    ({"model": {"offline": True}}, "model.offline is set and the model is nowhere"),
    ({"model": {"cache": {"type": "existingClaim"}}}, "name the claim"),
    (
        {"model": {"cache": {"existingClaim": "models"}}},
        "model.cache.existingClaim is set while model.cache.type is emptyDir",
    ),
    (
        {"model": {"name": "/m", "baked": True, "cache": {"type": "newClaim"}}},
        "the model is in one place",
    ),
    ({"model": {"baked": True}}, "give the folder in the image"),
    ({"model": {"baked": True, "name": "/cache/model"}}, "outside /cache and /tmp"),
    ({"model": {"name": "/models/20b"}}, "nothing is mounted there"),
    (
        {"replicaCount": 2, "model": {"cache": {"type": "newClaim"}}},
        "set model.cache.accessModes to [ReadWriteMany]",
    ),
    (
        {"strategy": {"maxSurge": 1}, "model": {"cache": {"type": "newClaim"}}},
        "strategy.maxSurge starts a worker beside the old one",
    ),
    ({"networkPolicy": {"enabled": True}}, "keeps the worker from downloading its model"),
    # Workers.
    (
        {"replicaCount": 5, "topics": {"partitions": 3}},
        "replicaCount is 5 while topics.partitions is 3",
    ),
    (
        {"replicaCount": 2, "settings": {"kafka": {"group_instance_id": "me"}}},
        "settings.kafka.group_instance_id would be the name of all workers",
    ),
    (
        {"terminationGracePeriodSeconds": 89},
        "terminationGracePeriodSeconds is 89 and a drain may take 90",
    ),
    (
        {
            "terminationGracePeriodSeconds": 120,
            "settings": {"delivery": {"drain_timeout_s": 90}},
        },
        "terminationGracePeriodSeconds is 120 and a drain may take 150",
    ),
    (
        {"startupProbe": {"failureThreshold": 20}},
        "startupProbe gives up after 200 s while settings.engine.start_timeout_s is 1800",
    ),
    ({"http": {"host": "127.0.0.1"}}, "http.host is 127.0.0.1: probes and readers of metrics"),
    ({"progressDeadlineSeconds": 1800}, "progressDeadlineSeconds is 1800 and a start may take"),
    ({"strategy": {"maxUnavailable": 0}}, "no rollout could begin"),
    ({"strategy": {"maxSurge": "0%", "maxUnavailable": "0%"}}, "no rollout could begin"),
    (
        {"podDisruptionBudget": {"minAvailable": 1}},
        "podDisruptionBudget.maxUnavailable and podDisruptionBudget.minAvailable",
    ),
    ({"podDisruptionBudget": {"maxUnavailable": None}}, "neither maxUnavailable nor minAvailable"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "no node with a worker could ever be drained"),
    (
        {"podDisruptionBudget": {"maxUnavailable": None, "minAvailable": 1}},
        "podDisruptionBudget.minAvailable is 1 of 1",
    ),
    ({"image": {"tag": "latest"}}, "image.tag is latest"),
    ({"image": {"repository": "mine/it:7"}}, "holds a tag or a digest"),
    ({"podSecurityContext": {"runAsUser": 0}}, "podSecurityContext.runAsUser is 0"),
    ({"containerSecurityContext": {"runAsUser": 0}}, "containerSecurityContext.runAsUser is 0"),
    # Additions.
    ({"extraEnv": [{"name": "HOME", "value": "/x"}]}, "extraEnv repeats HOME"),
    (
        {"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
        "extraEnv repeats A",
    ),
    (
        {"extraEnv": [{"name": "AFTERGUARD_LOG__LEVEL", "value": "debug"}]},
        "extraEnv sets AFTERGUARD_LOG__LEVEL by value",
    ),
    ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "extraVolumes repeats tmp"),
    ({"extraVolumeMounts": [{"name": "tmp", "mountPath": "/cache/"}]}, "repeats /cache"),
    ({"extraVolumeMounts": [{"name": "none", "mountPath": "/x"}]}, "there is no such volume"),
    ({"extraContainers": [{"name": "worker", "image": "a:1"}]}, "extraContainers repeats worker"),
    (
        {"extraContainers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 9108}]}]},
        "extraContainers repeats port 9108",
    ),
    (
        {
            "extraContainers": [
                {"name": "a", "image": "a:1", "ports": [{"name": "http", "containerPort": 1}]}
            ]
        },
        "extraContainers repeats the port name http",
    ),
    ({"podLabels": {"app.kubernetes.io/name": "x"}}, "podLabels sets app.kubernetes.io/name"),
    ({"commonLabels": {"helm.sh/chart": "x"}}, "commonLabels sets helm.sh/chart"),
    ({"podAnnotations": {"checksum/config": "x"}}, "podAnnotations sets checksum/config"),
    ({"image": {"tag": "latest-gpu"}}, "image.tag is latest-gpu"),
    # Settings.
    ({"settings": {"judging": "fast"}}, "settings.judging must be a section"),
    (
        {"kafka": {"groupId": "a"}, "settings": {"kafka": {"group_id": "b"}}},
        'settings.kafka.group_id ("b") and kafka.groupId ("a") say different things',
    ),
    (
        {
            "redis": {"existingSecret": "s", "urlKey": "url"},
            "settings": {"redis": {"url": "redis://r"}},
        },
        "settings.redis.url and redis.urlKey say different things",
    ),
    (
        {"settings": {"kafka": {"sasl_password": "x"}}},
        "settings.kafka.sasl_password is a secret",
    ),
    (
        {"settings": {"engine": {"args": {"hf_token": "x"}}}},
        "settings.engine.args.hf_token is a secret",
    ),
    ({"redis": {"url": "redis://:x@valkey:6379"}}, "redis.url holds a password"),
]


@pytest.mark.parametrize(("values", "sentence"), CONTRADICTIONS, ids=[s for _, s in CONTRADICTIONS])
def test_a_contradiction_is_refused(values: dict[str, Any], sentence: str) -> None:
    told = [line for line in refused(minimal(values)).splitlines() if sentence in line]
    assert len(told) == 1


def sentences() -> list[re.Pattern[str]]:
    """What the templates can say, with anything where a value is filled in."""
    found = []
    for file in CHECKS:
        text = (CHART / "templates" / file).read_text(encoding="utf-8")
        text = re.sub(r"\{\{-? */\*.*?\*/ *-?\}\}", "", text, flags=re.DOTALL)
        for line in text.splitlines():
            words = re.split(r"\{\{.*?\}\}", line)
            if "".join(words).strip() and not line.startswith("{{-"):
                found.append(re.compile(".*".join(map(re.escape, words))))
    return found


def test_every_sentence_is_proved_by_a_contradiction_above() -> None:
    told = [line for values, _ in CONTRADICTIONS for line in refused(minimal(values)).splitlines()]
    unheard = [it.pattern for it in sentences() if not any(map(it.fullmatch, told))]
    assert unheard == []


@pytest.mark.parametrize("helm", HELMS)
def test_all_that_is_wrong_is_told_at_once(helm: Helm) -> None:
    values = {
        "kafka": {"bootstrapServers": ""},
        "replicaCount": 2,
        "topics": {"partitions": 1},
        "terminationGracePeriodSeconds": 10,
        "image": {"tag": "latest"},
        "extraEnv": [{"name": "HOME", "value": "/x"}],
    }
    told = refused(values, helm=helm)
    assert "kafka.bootstrapServers is needed" in told
    assert "replicaCount is 2" in told
    assert "terminationGracePeriodSeconds is 10" in told
    assert "image.tag is latest" in told
    assert "extraEnv repeats HOME" in told


# Near to what is refused, and right.
RIGHT: Final[list[dict[str, Any]]] = [
    {"replicaCount": 3, "topics": {"partitions": 3}},
    {"terminationGracePeriodSeconds": 90},
    {"strategy": {"maxSurge": 1, "maxUnavailable": 0}},
    {"image": {"tag": "latest", "digest": "sha256:" + "0" * 64}},
    {"image": {"tag": "0.1.0-cpu-vllm"}, "gpu": {"count": 0}},
    {"image": {"repository": "registry.internal:5000/afterguard"}},
    {"podSecurityContext": {"runAsUser": None, "fsGroup": None}},
    {"kafka": {"securityProtocol": "SASL_SSL", "sasl": SCRAM}},
    {"redis": {"url": "redis://user@valkey:6379/0"}},
    {"extraEnv": [{"name": "AFTERGUARD_REDIS__PASSWORD", "valueFrom": {"secretKeyRef": {}}}]},
    {"networkPolicy": {"enabled": True}, "engine": OPENAI},
    {"model": {"name": "/models/20b", "cache": {"type": "newClaim", "mountPath": "/models"}}},
    {"settings": {"judging": None}},
    {"podDisruptionBudget": {"enabled": False, "minAvailable": 1}},
]


@pytest.mark.parametrize("values", RIGHT, ids=str)
def test_what_is_right_is_not_refused(values: dict[str, Any]) -> None:
    assert render(minimal(values))
