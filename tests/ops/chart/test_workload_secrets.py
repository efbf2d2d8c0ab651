"""Secrets are named in values, mounted as files and named to the worker by their paths."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.ops.chart.rendered import CHART, HELMS, Helm, minimal, only, render
from tests.ops.chart.workload import (
    container,
    example,
    mounts,
    pods,
    settings_text,
    variables,
    volumes,
)

from afterguard.settings import load_settings

pytestmark = pytest.mark.parametrize("helm", HELMS)

SCRAM: dict[str, Any] = {
    "kafka": {
        "securityProtocol": "sasl_ssl",
        "tls": {"caSecret": "cluster-ca", "existingSecret": "client", "certKey": "user.crt"},
        "sasl": {"mechanism": "SCRAM-SHA-512", "username": "me", "existingSecret": "login"},
    }
}


class Mounted:
    """A rendered worker and the settings that name its files."""

    def __init__(self, values: dict[str, Any], helm: Helm) -> None:
        documents = render(minimal(values), helm=helm)
        self.documents = documents
        self.settings: dict[str, Any] = yaml.safe_load(settings_text(documents))
        self.spec = only(documents, "Deployment")["spec"]["template"]["spec"]
        self.worker = container(self.spec, "worker")

    def behind(self, path: str) -> tuple[str, str]:
        """The Secret and the key of which a file is made."""
        folder = str(Path(path).parent)
        volume = volumes(self.spec)[mounts(self.worker)[folder]["name"]]
        found = [
            (source["secret"]["name"], item["key"])
            for source in volume["projected"]["sources"]
            if "secret" in source
            for item in source["secret"]["items"]
            if item["path"] == Path(path).name
        ]
        assert len(found) == 1
        return found[0]


def test_each_kafka_file_is_made_of_the_key_that_was_named(helm: Helm) -> None:
    values = {
        "kafka": {
            **SCRAM["kafka"],
            "tls": {
                **SCRAM["kafka"]["tls"],
                "caKey": "root.pem",
                "keyKey": "user.key",
                "keyPasswordKey": "user.password",
            },
            "sasl": {**SCRAM["kafka"]["sasl"], "passwordKey": "pw"},
        }
    }
    mounted = Mounted(values, helm)
    kafka = mounted.settings["kafka"]
    assert mounted.behind(kafka["ssl_ca_file"]) == ("cluster-ca", "root.pem")
    assert mounted.behind(kafka["ssl_cert_file"]) == ("client", "user.crt")
    assert mounted.behind(kafka["ssl_key_file"]) == ("client", "user.key")
    assert mounted.behind(kafka["ssl_key_password_file"]) == ("client", "user.password")
    assert mounted.behind(kafka["sasl_password_file"]) == ("login", "pw")
    assert kafka["sasl_username"] == "me"


def test_a_users_name_may_come_from_its_secret(helm: Helm) -> None:
    login = {"mechanism": "PLAIN", "existingSecret": "login", "usernameKey": "user"}
    mounted = Mounted({"kafka": {"securityProtocol": "sasl_ssl", "sasl": login}}, helm)
    source = variables(mounted.worker)["AFTERGUARD_KAFKA__SASL_USERNAME"]
    assert source == {"secretKeyRef": {"name": "login", "key": "user"}}
    assert "sasl_username" not in mounted.settings["kafka"]


def test_a_token_may_come_from_a_secret(helm: Helm) -> None:
    login = {"mechanism": "OAUTHBEARER", "existingSecret": "login", "tokenKey": "jwt"}
    mounted = Mounted({"kafka": {"securityProtocol": "sasl_ssl", "sasl": login}}, helm)
    assert mounted.behind(mounted.settings["kafka"]["sasl_token_file"]) == ("login", "jwt")
    assert "sasl_password_file" not in mounted.settings["kafka"]


def test_a_token_may_be_the_pods_own(helm: Helm) -> None:
    login = {"mechanism": "OAUTHBEARER", "serviceAccountToken": {"audience": "kafka"}}
    mounted = Mounted({"kafka": {"securityProtocol": "sasl_ssl", "sasl": login}}, helm)
    path = Path(mounted.settings["kafka"]["sasl_token_file"])
    volume = volumes(mounted.spec)[mounts(mounted.worker)[str(path.parent)]["name"]]
    token = volume["projected"]["sources"][0]["serviceAccountToken"]
    assert token == {"audience": "kafka", "expirationSeconds": 3600, "path": path.name}


def test_redis_has_files_of_its_own(helm: Helm) -> None:
    values = {
        "redis": {
            "url": "rediss://valkey:6380/0",
            "username": "me",
            "existingSecret": "acl",
            "tls": {"existingSecret": "ca", "certKey": "tls.crt", "keyKey": "tls.key"},
        }
    }
    mounted = Mounted(values, helm)
    redis = mounted.settings["redis"]
    assert mounted.behind(redis["password_file"]) == ("acl", "password")
    assert mounted.behind(redis["ssl_ca_file"]) == ("ca", "ca.crt")
    assert mounted.behind(redis["ssl_cert_file"]) == ("ca", "tls.crt")
    assert mounted.behind(redis["ssl_key_file"]) == ("ca", "tls.key")


def test_a_whole_address_of_redis_stays_in_its_secret(helm: Helm) -> None:
    mounted = Mounted({"redis": {"existingSecret": "address", "urlKey": "url"}}, helm)
    source = variables(mounted.worker)["AFTERGUARD_REDIS__URL"]
    assert source == {"secretKeyRef": {"name": "address", "key": "url"}}
    assert "redis" not in mounted.settings


def test_the_key_of_a_model_server_is_a_file(helm: Helm) -> None:
    engine = {"kind": "openai", "baseUrl": "http://vllm:8000/v1", "existingSecret": "vllm"}
    mounted = Mounted({"engine": engine}, helm)
    assert mounted.behind(mounted.settings["engine"]["api_key_file"]) == ("vllm", "api-key")


def test_the_token_of_the_hub_stays_in_its_secret(helm: Helm) -> None:
    mounted = Mounted({"model": {"hubToken": {"existingSecret": "hub"}}}, helm)
    source = variables(mounted.worker)["HF_TOKEN"]
    assert source == {"secretKeyRef": {"name": "hub", "key": "token"}}


def test_files_are_readable_for_the_group_alone(helm: Helm) -> None:
    mounted = Mounted(SCRAM, helm)
    assert volumes(mounted.spec)["kafka-credentials"]["projected"]["defaultMode"] == 0o440
    assert mounts(mounted.worker)["/etc/afterguard/kafka"]["readOnly"] is True


def test_without_secrets_nothing_is_mounted(helm: Helm) -> None:
    mounted = Mounted({"kafka": {"securityProtocol": "ssl"}}, helm)
    assert not any(name.endswith("-credentials") for name in volumes(mounted.spec))
    assert "ssl_ca_file" not in mounted.settings["kafka"]  # the system's own authorities


def test_every_command_of_the_release_has_the_same_log_ins(helm: Helm) -> None:
    values = {
        **SCRAM,
        "topics": {"createJob": {"enabled": True}},
        "redis": {"existingSecret": "address", "urlKey": "url"},
    }
    specs = pods(render(minimal(values), helm=helm))
    assert len(specs) == 3
    for _, spec in specs:
        assert "/etc/afterguard/kafka" in mounts(spec["containers"][0])
        assert "AFTERGUARD_REDIS__URL" in variables(spec["containers"][0])


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("strimzi", "sasl_ssl"),
        ("strimzi-tls", "ssl"),
        ("msk-scram", "sasl_ssl"),
        ("msk-iam", "sasl_ssl"),
        ("confluent-cloud", "sasl_ssl"),
    ],
)
def test_the_worker_takes_the_log_in_of_each_example(
    helm: Helm, name: str, protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = example(CHART / "examples" / f"{name}.yaml")
    documents = render(values, helm=helm)
    file = tmp_path / "afterguard.yaml"
    file.write_text(settings_text(documents), encoding="utf-8")
    spec = only(documents, "Deployment")["spec"]["template"]["spec"]
    for variable, value in variables(container(spec, "worker")).items():
        if variable.startswith("AFTERGUARD_") and variable != "AFTERGUARD_CONFIG":
            monkeypatch.setenv(variable, value if isinstance(value, str) else "from-the-secret")
    assert load_settings(file).kafka.security_protocol == protocol
