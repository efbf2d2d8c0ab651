"""KEDA logs in to the brokers as the workers do, by the same values."""

from typing import Any

import pytest
from tests.ops.chart.matrix import OAUTH, OWN_TOKEN, PLAIN, SCRAM, TLS, VALUES, keda
from tests.ops.chart.rendered import Document, merged, minimal, of_kind, only, refused, render
from tests.ops.chart.test_keda import KEYS, trigger

Values = dict[str, Any]


def rendered(kafka: Values, **lag: Any) -> list[Document]:
    return render(minimal(merged({"kafka": kafka}, keda(lag=lag))))


def parameters(documents: list[Document]) -> dict[str, str]:
    """Each parameter of the log-in with the Secret or ConfigMap and the key it comes from."""
    spec = only(documents, "TriggerAuthentication")["spec"]
    references = [*spec.get("secretTargetRef", ()), *spec.get("configMapTargetRef", ())]
    return {it["parameter"]: f"{it['name']}/{it['key']}" for it in references}


def lag_of(documents: list[Document]) -> Document:
    return trigger(only(documents, "ScaledObject"), "kafka")


def test_brokers_without_a_log_in_need_none() -> None:
    documents = rendered({})
    assert not of_kind(documents, "TriggerAuthentication")
    assert "authenticationRef" not in lag_of(documents)
    assert not {"tls", "sasl"} & set(lag_of(documents)["metadata"])


def test_public_authorities_need_no_secret() -> None:
    documents = rendered({"securityProtocol": "ssl"})
    assert not of_kind(documents, "TriggerAuthentication")
    assert lag_of(documents)["metadata"]["tls"] == "enable"


def test_our_certificate_is_the_workers() -> None:
    documents = rendered(TLS)
    assert parameters(documents) == {
        "ca": "kafka-tls/ca.crt",
        "cert": "kafka-tls/user.crt",
        "key": "kafka-tls/user.key",
    }


@pytest.mark.parametrize(
    ("mechanism", "name"), [("SCRAM-SHA-256", "scram_sha256"), ("SCRAM-SHA-512", "scram_sha512")]
)
def test_scram_is_told_by_kedas_names_and_a_plain_user_name_stands_in_a_config_map(
    mechanism: str, name: str
) -> None:
    documents = rendered(merged(SCRAM, {"sasl": {"mechanism": mechanism}}))
    assert lag_of(documents)["metadata"]["sasl"] == name
    assert parameters(documents) == {
        "ca": "cluster-ca/ca.crt",
        "password": "kafka-user/password",
        "username": "afterguard-keda/username",
    }
    (texts,) = [
        it for it in of_kind(documents, "ConfigMap") if it["metadata"]["name"] == "afterguard-keda"
    ]
    assert texts["data"] == {"username": "afterguard"}


def test_plain_takes_both_from_the_secret() -> None:
    documents = rendered(PLAIN)
    assert lag_of(documents)["metadata"]["sasl"] == "plaintext"
    assert parameters(documents) == {"username": "api-key/id", "password": "api-key/secret"}


@pytest.mark.parametrize("kafka", [OAUTH, OWN_TOKEN])
def test_keda_cannot_use_the_workers_token_and_says_what_it_needs(kafka: Values) -> None:
    told = refused(minimal(merged({"kafka": kafka}, keda())))
    assert "KEDA cannot use the worker's OAUTHBEARER token" in told
    for given, missing in [
        ({"tokenProvider": "bearer"}, "oauth.tokenEndpointUri is needed"),
        ({"tokenProvider": "aws_msk_iam"}, "oauth.awsRegion is needed"),
    ]:
        assert missing in refused(minimal(merged({"kafka": kafka}, keda(lag={"oauth": given}))))


def test_a_token_of_its_own_is_asked_for_at_an_endpoint() -> None:
    documents = render(VALUES["keda with oauth"])
    fields = lag_of(documents)["metadata"]
    assert (fields["sasl"], fields["saslTokenProvider"]) == ("oauthbearer", "bearer")
    assert parameters(documents) == {
        "username": "keda-client/client-id",
        "password": "keda-client/client-secret",
        "oauthTokenEndpointUri": "afterguard-keda/oauthTokenEndpointUri",
        "scopes": "afterguard-keda/scopes",
    }


def test_in_the_cloud_kedas_own_role_logs_in() -> None:
    documents = render(VALUES["keda with iam"])
    assert only(documents, "TriggerAuthentication")["spec"] == {"podIdentity": {"provider": "aws"}}
    assert lag_of(documents)["metadata"]["awsRegion"] == "eu-central-1"
    assert lag_of(documents)["authenticationRef"] == {"name": "afterguard-kafka"}


def test_a_log_in_of_somebody_elses_making_is_used_and_none_made() -> None:
    documents = render(VALUES["keda with a log-in of its own"])
    assert not of_kind(documents, "TriggerAuthentication")
    assert lag_of(documents)["authenticationRef"] == {
        "name": "kafka",
        "kind": "ClusterTriggerAuthentication",
    }


@pytest.mark.parametrize("name", [it for it in VALUES if "keda" in it or it == "all on"])
def test_every_parameter_is_known_to_keda_and_every_reference_is_there(name: str) -> None:
    documents = render(VALUES[name])
    made = of_kind(documents, "TriggerAuthentication")
    for one in made:
        assert set(parameters(documents)) <= set(KEYS["kafka"]["authentication"])
        maps = {it["metadata"]["name"]: it["data"] for it in of_kind(documents, "ConfigMap")}
        for it in one["spec"].get("configMapTargetRef", ()):
            assert it["key"] in maps[it["name"]]
    name_there = lag_of(documents).get("authenticationRef", {}).get("name")
    assert [it["metadata"]["name"] for it in made] in ([], [name_there])
