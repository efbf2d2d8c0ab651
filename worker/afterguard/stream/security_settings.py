"""How the broker is spoken to: the fields of the `kafka` section about TLS and SASL."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, SecretStr, StringConstraints

from afterguard.security.tls_settings import TLS_FILES, TlsSettings, two_key_passwords

SecurityProtocol = Annotated[
    Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"],
    # Other clients of Kafka write these in capitals.
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

_PASSWORD: Final = ("sasl_username", "sasl_password", "sasl_password_file")
_TOKEN: Final = ("sasl_token_file", "sasl_token_provider")


class KafkaSecuritySettings(TlsSettings):
    """TLS and SASL."""

    security_protocol: SecurityProtocol = Field(
        default="plaintext", description="`ssl` is TLS; with `sasl_` there is a log-in."
    )
    sasl_mechanism: SaslMechanism | None = Field(
        default=None, description="How we log in; needed with a `sasl_` protocol."
    )
    sasl_username: str | None = Field(
        default=None, min_length=1, description="For PLAIN and SCRAM."
    )
    sasl_password: SecretStr | None = Field(default=None, description="For PLAIN and SCRAM.")
    sasl_password_file: Path | None = Field(
        default=None, description="Holds the password; read when the worker starts."
    )
    sasl_token_file: Path | None = Field(
        default=None, description="For OAUTHBEARER: holds the token; read for each connection."
    )
    sasl_token_provider: Annotated[str, StringConstraints(pattern=r"^[\w.]+:\w+$")] | None = Field(
        default=None,
        description="For OAUTHBEARER: `package.module:function` that takes nothing and returns "
        "the token; called for each connection. It may be async.",
    )


def security_contradictions(settings: KafkaSecuritySettings) -> list[str]:
    """One line for each pair of TLS and SASL settings that cannot both hold."""
    protocol, mechanism = settings.security_protocol, settings.sasl_mechanism
    found: list[str] = []
    if not protocol.endswith("ssl"):
        found += _without_meaning(settings, TLS_FILES, f"kafka.security_protocol is {protocol}")
    if not protocol.startswith("sasl"):
        why = f"kafka.security_protocol is {protocol}"
        found += _without_meaning(settings, ("sasl_mechanism", *_PASSWORD, *_TOKEN), why)
    elif mechanism is None:
        found.append(f"kafka.sasl_mechanism: needed when kafka.security_protocol is {protocol}")
    elif mechanism == "OAUTHBEARER":
        found += _without_meaning(settings, _PASSWORD, "kafka.sasl_mechanism is OAUTHBEARER")
        found += _exactly_one(settings, _TOKEN, mechanism)
    else:
        found += _without_meaning(settings, _TOKEN, f"kafka.sasl_mechanism is {mechanism}")
        if settings.sasl_username is None:
            found.append(f"kafka.sasl_username: needed for {mechanism}")
        found += _exactly_one(settings, _PASSWORD[1:], mechanism)
    return found + two_key_passwords(settings, "kafka")


def _without_meaning(
    settings: KafkaSecuritySettings, names: tuple[str, ...], why: str
) -> list[str]:
    given = [name for name in names if getattr(settings, name) is not None]
    return [f"kafka.{name}: has no meaning when {why}" for name in given]


def _exactly_one(
    settings: KafkaSecuritySettings, names: tuple[str, ...], mechanism: str
) -> list[str]:
    given = [name for name in names if getattr(settings, name) is not None]
    if len(given) == 1:
        return []
    told = " and ".join(f"kafka.{name}" for name in names)
    if given:
        return [f"{told}: give one of the two"]
    return [f"{told.replace(' and ', ' or ')}: needed for {mechanism}"]
