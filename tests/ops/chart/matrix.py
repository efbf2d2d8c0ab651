"""Values that operators give, each set by the name of what it is about.

Every check of the chart that holds whatever is said runs over all of them, and over the examples
that the chart ships.
"""

from typing import Final

import yaml
from tests.ops.chart.rendered import CHART, Document, merged, minimal

TLS: Final[Document] = {
    "securityProtocol": "ssl",
    "tls": {"existingSecret": "kafka-tls", "certKey": "user.crt", "keyKey": "user.key"},
}
SCRAM: Final[Document] = {
    "securityProtocol": "sasl_ssl",
    "tls": {"caSecret": "cluster-ca"},
    "sasl": {
        "mechanism": "SCRAM-SHA-512",
        "username": "afterguard",
        "existingSecret": "kafka-user",
    },
}
PLAIN: Final[Document] = {
    "securityProtocol": "sasl_ssl",
    "sasl": {
        "mechanism": "PLAIN",
        "existingSecret": "api-key",
        "usernameKey": "id",
        "passwordKey": "secret",
    },
}
OAUTH: Final[Document] = {
    "securityProtocol": "sasl_ssl",
    "sasl": {"mechanism": "OAUTHBEARER", "existingSecret": "token", "tokenKey": "token"},
}
OWN_TOKEN: Final[Document] = {
    "securityProtocol": "sasl_ssl",
    "sasl": {"mechanism": "OAUTHBEARER", "serviceAccountToken": {"audience": "kafka"}},
}


def keda(**said: object) -> Document:
    """Twelve partitions and KEDA, with this said of it."""
    return {"topics": {"partitions": 12}, "autoscaling": {"keda": {"enabled": True, **said}}}


ALL_ON: Final[Document] = merged(
    keda(
        oldestAge={
            "enabled": True,
            "serverAddress": "http://prometheus.monitoring:9090",
            "authenticationRef": {"name": "prometheus"},
        },
        cron=[
            {
                "timezone": "Europe/Berlin",
                "start": "0 18 * * *",
                "end": "0 23 * * *",
                "desiredReplicas": 8,
            }
        ],
        extraTriggers=[{"type": "cpu", "metricType": "Utilization", "metadata": {"value": "80"}}],
        annotations={"team": "safety"},
    ),
    {
        "kafka": SCRAM,
        "redis": {"url": "rediss://valkey:6380/0", "tls": {"existingSecret": "redis-tls"}},
        "policies": {"files": {"harassment.md": "---\nid: harassment\n---\ntext\n"}},
        "model": {"cache": {"type": "newClaim", "accessModes": ["ReadWriteMany"]}},
        "networkPolicy": {"enabled": True, "modelHub": True},
        "extraEnv": [
            {"name": "PROXY", "valueFrom": {"secretKeyRef": {"name": "proxy", "key": "url"}}}
        ],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
            }
        ],
        "commonLabels": {"team": "safety"},
        "monitoring": {
            "podMonitor": {
                "enabled": True,
                "interval": "15s",
                "scrapeTimeout": "10s",
                "labels": {"release": "prometheus"},
                "podTargetLabels": ["team"],
                "metricRelabelings": [{"action": "labeldrop", "regex": "endpoint"}],
            },
            "prometheusRule": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "additionalRuleLabels": {"team": "safety"},
            },
            "dashboards": {"enabled": True},
        },
    },
)

_MATRIX: Final[dict[str, Document]] = {
    "minimal": {},
    "all on": ALL_ON,
    "tls with our certificate": {"kafka": TLS},
    "scram": {"kafka": SCRAM},
    "plain": {"kafka": PLAIN},
    "oauthbearer": {"kafka": OAUTH},
    "the pod's own token": {"kafka": OWN_TOKEN},
    "new claim": {"model": {"cache": {"type": "newClaim", "storageClass": "fast"}}},
    "existing claim": {"model": {"cache": {"type": "existingClaim", "existingClaim": "models"}}},
    "model in the image": {
        "model": {"baked": True, "name": "/models/gpt-oss-safeguard-20b"},
        "image": {"repository": "registry.example/afterguard", "tag": "0.1.0-gpu-20b"},
    },
    "openai": {
        "engine": {"kind": "openai", "baseUrl": "http://vllm:8000/v1", "existingSecret": "vllm"}
    },
    "no engine": {"engine": {"kind": "null"}},
    "two gpus": {"gpu": {"count": 2}, "model": {"name": "openai/gpt-oss-safeguard-120b"}},
    "exactly once": {"settings": {"delivery": {"guarantee": "exactly_once"}}},
    "redis": {"redis": {"url": "redis://valkey:6379/0", "existingSecret": "valkey"}},
    "recreate": {"strategy": {"type": "Recreate"}},
    "topics made": {"topics": {"createJob": {"enabled": True}, "partitions": 24}},
    "keda": keda(),
    "keda with tls": merged({"kafka": TLS}, keda()),
    "keda with plain": merged({"kafka": PLAIN}, keda()),
    "keda with oauth": merged(
        {"kafka": OAUTH},
        keda(
            lag={
                "oauth": {
                    "tokenProvider": "bearer",
                    "existingSecret": "keda-client",
                    "tokenEndpointUri": "https://login.example/token",
                    "scopes": "kafka",
                }
            }
        ),
    ),
    "keda with iam": merged(
        {"kafka": OAUTH},
        keda(lag={"oauth": {"tokenProvider": "aws_msk_iam", "awsRegion": "eu-central-1"}}),
    ),
    "keda with a log-in of its own": merged(
        {"kafka": OAUTH},
        keda(lag={"authenticationRef": {"name": "kafka", "kind": "ClusterTriggerAuthentication"}}),
    ),
    "keda with transactional producers": keda(
        minReplicaCount=0, lag={"transactionalProducers": True}
    ),
    "keda held": keda(pausedReplicas=3, fallback={"enabled": False}),
    "service monitor": {"monitoring": {"serviceMonitor": {"enabled": True, "interval": "30s"}}},
}

VALUES: Final[dict[str, Document]] = {
    **{name: minimal(values) for name, values in _MATRIX.items()},
    **{
        f"example {path.stem}": yaml.safe_load(path.read_text())
        for path in sorted((CHART / "examples").glob("*.yaml"))
    },
}
