"""TLS and SASL: what does not fit together is told, with the setting."""

from typing import Any

import pytest

from afterguard.contracts.errors import SettingsError
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.security_settings import security_contradictions
from afterguard.stream.settings import KafkaSettings

SECRET = "hunter2"
LOGIN = {"sasl_mechanism": "PLAIN", "sasl_username": "u", "sasl_password": SECRET}


def settings(**values: Any) -> KafkaSettings:
    return KafkaSettings.model_validate(values)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        (
            {"sasl_password": SECRET},
            "kafka.sasl_password: has no meaning when kafka.security_protocol is plaintext",
        ),
        (
            {"security_protocol": "ssl", **LOGIN},
            "kafka.sasl_mechanism: has no meaning when kafka.security_protocol is ssl",
        ),
        (
            {"ssl_ca_file": "/x"},
            "kafka.ssl_ca_file: has no meaning when kafka.security_protocol is plaintext",
        ),
        (
            {"security_protocol": "sasl_plaintext", **LOGIN, "ssl_cert_file": "/x"},
            "kafka.ssl_cert_file: has no meaning when kafka.security_protocol is sasl_plaintext",
        ),
        (
            {"security_protocol": "sasl_ssl"},
            "kafka.sasl_mechanism: needed when kafka.security_protocol is sasl_ssl",
        ),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanism": "SCRAM-SHA-512"},
            "kafka.sasl_username: needed for SCRAM-SHA-512",
        ),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanism": "PLAIN", "sasl_username": "u"},
            "kafka.sasl_password or kafka.sasl_password_file: needed for PLAIN",
        ),
        (
            {"security_protocol": "sasl_ssl", **LOGIN, "sasl_password_file": "/x"},
            "kafka.sasl_password and kafka.sasl_password_file: give one of the two",
        ),
        (
            {"security_protocol": "sasl_ssl", **LOGIN, "sasl_token_file": "/x"},
            "kafka.sasl_token_file: has no meaning when kafka.sasl_mechanism is PLAIN",
        ),
        (
            {"security_protocol": "sasl_ssl", "sasl_mechanism": "OAUTHBEARER"},
            "kafka.sasl_token_file or kafka.sasl_token_provider: needed for OAUTHBEARER",
        ),
        (
            {"security_protocol": "sasl_ssl", **LOGIN, "sasl_mechanism": "OAUTHBEARER"},
            "kafka.sasl_password: has no meaning when kafka.sasl_mechanism is OAUTHBEARER",
        ),
    ],
)
def test_a_contradiction_is_told_and_no_client_is_made_with_it(
    values: dict[str, Any], line: str
) -> None:
    assert line in security_contradictions(settings(**values))
    with pytest.raises(SettingsError) as raised:
        security_arguments(settings(**values))
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("provider", "problem"),
    [
        ("nowhere.at.all:token", "nowhere.at.all cannot be imported: ModuleNotFoundError"),
        ("os:nothing_of_this_name", "os has no function nothing_of_this_name"),
        ("os:sep", "os has no function sep"),
    ],
)
def test_a_function_that_cannot_be_called_is_told_before_anything_starts(
    provider: str, problem: str
) -> None:
    values = {"security_protocol": "sasl_plaintext", "sasl_mechanism": "OAUTHBEARER"}
    with pytest.raises(SettingsError, match=rf"^kafka\.sasl_token_provider: {problem}$"):
        security_arguments(settings(**values, sasl_token_provider=provider))


def test_capitals_are_what_other_clients_write() -> None:
    assert settings(security_protocol="SASL_SSL").security_protocol == "sasl_ssl"


def test_names_are_looked_at_unless_told_otherwise() -> None:
    assert security_arguments(settings(security_protocol="ssl"))[
        "ssl_context"
    ]._current.check_hostname
