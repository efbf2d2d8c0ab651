"""Why no broker can be spoken to, in words that name the setting.

aiokafka tells its log alone why a connection failed, and its caller only that none could be had.
"""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    BrokerResponseError,
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from afterguard.contracts.errors import SettingsError
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.kafka.tokens import NoToken
from afterguard.stream.settings import KafkaSettings

_LOOK_S: Final = 5.0
# OpenSSL's numbers for a certificate of another name, or of another address.
_OTHER_NAME: Final = frozenset({62, 64})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection failed.

    Attributes:
        text: In words, with the setting to look at; no credential.
        lasting: Waiting will not mend it.
    """

    text: str
    lasting: bool


async def refusal(settings: KafkaSettings) -> Refusal | None:
    """Connect to each broker by itself and say what is in the way of the first that fails.

    Looks at those of `kafka.bootstrap_servers` and then at the names under which they tell clients
    to come back. Takes a few seconds at most.

    Returns:
        None when nothing is in the way, or when it cannot be told.
    """
    try:
        security = security_arguments(settings)
        async with asyncio.timeout(_LOOK_S):
            return await _looked(settings, security)
    except SettingsError as error:
        return Refusal(str(error), lasting=True)
    except TimeoutError:
        return None


async def _looked(settings: KafkaSettings, security: dict[str, Any]) -> Refusal | None:
    told: set[tuple[str, int]] = set()
    asked: set[tuple[str, int]] = set()
    for host, port, _ in collect_hosts(settings.bootstrap_servers):
        asked.add((host, port))
        found = await _connected(settings, security, host, port)
        if isinstance(found, Refusal):
            return found
        told.update(found)
    for host, port in sorted(told - asked):
        found = await _connected(settings, security, host, port)
        if isinstance(found, Refusal):
            return Refusal(f"{found.text} (the brokers tell clients to go there)", found.lasting)
    return None


async def _connected(
    settings: KafkaSettings, security: dict[str, Any], host: str, port: int
) -> Refusal | Sequence[tuple[str, int]]:
    """What is in the way, or where this broker says that the brokers are."""
    where, greeted = f"{host}:{port}", False
    try:
        connection = await create_conn(
            host,
            port,
            client_id=settings.client_id,
            request_timeout_ms=settings.request_timeout_ms,
            **security,
        )
        greeted = True
        try:
            answer = await connection.send(MetadataRequest([]))
        finally:
            connection.close()
    except (KafkaError, OSError, TimeoutError) as error:
        text = _words(error, settings, greeted=greeted)
        refused = isinstance(error, BrokerResponseError) and not error.retriable
        return Refusal(f"{where} {text}", lasting=refused or isinstance(error, ssl.SSLError))
    return [(broker[1], broker[2]) for broker in answer.brokers]


def _words(error: BaseException, settings: KafkaSettings, *, greeted: bool) -> str:
    protocol = f"kafka.security_protocol={settings.security_protocol}"
    match error:
        case ssl.SSLError():
            text = _about_tls(error, protocol)
        case SaslAuthenticationFailed() if settings.sasl_mechanism == "OAUTHBEARER":
            text = f"refuses the token; check {_token_setting(settings)}"
        case SaslAuthenticationFailed():
            look = "check kafka.sasl_username and kafka.sasl_password (or its file)"
            text = f"refuses the log-in by {settings.sasl_mechanism}; {look}"
        case UnsupportedSaslMechanismError():
            text = f"offers no log-in by kafka.sasl_mechanism={settings.sasl_mechanism}"
        case IllegalSaslStateError():
            text = f"asks for no log-in; check {protocol}"
        case NoToken():
            text = f"was not asked, for there is no token: {error}"
        case KafkaConnectionError() | ConnectionResetError():
            text = _hung_up(settings, protocol, greeted=greeted)
        case BrokerResponseError():
            text = f"refuses this client: {type(error).__name__}: {error.description}"
        case _:
            text = f"does not answer: {type(error).__name__}"
    return text


def _about_tls(error: ssl.SSLError, protocol: str) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        look = f"check {protocol} and kafka.ssl_cert_file"
        return f"does not agree to TLS: {error.reason}; {look}"
    if error.verify_code in _OTHER_NAME:
        return (
            "shows a certificate for another name: use one that it holds in the address, or set "
            "kafka.ssl_check_hostname=false"
        )
    told = error.verify_message
    return f"shows a certificate that is not trusted: {told}; check kafka.ssl_ca_file"


def _hung_up(settings: KafkaSettings, protocol: str, *, greeted: bool) -> str:
    if greeted and settings.sasl_mechanism == "OAUTHBEARER":
        # Kafka refuses a token by an answer that aiokafka takes for a welcome.
        return f"hangs up after the log-in: it may refuse the token of {_token_setting(settings)}"
    if greeted and settings.sasl_mechanism is None:
        return f"hangs up at the first request: it may want a log-in; check {protocol}"
    if settings.security_protocol.endswith("ssl"):
        return (
            f"hangs up: it may speak no TLS (check {protocol}), or want another certificate of "
            "ours (kafka.ssl_cert_file)"
        )
    return f"hangs up at once: it may want TLS; check {protocol}"


def _token_setting(settings: KafkaSettings) -> str:
    return "kafka.sasl_token_" + ("file" if settings.sasl_token_file else "provider")
