"""TLS and SASL: what every client of the broker is given besides the address."""

from typing import Any

from afterguard.contracts.errors import SettingsError
from afterguard.security.secret_files import secret
from afterguard.security.tls import TlsContext, TlsFiles
from afterguard.stream.kafka.tokens import token_provider
from afterguard.stream.security_settings import security_contradictions
from afterguard.stream.settings import KafkaSettings


def security_arguments(settings: KafkaSettings) -> dict[str, Any]:
    """Keyword arguments of any client of aiokafka: consumer, producer or admin.

    Reads certificates and secrets, so call it once for a client that lives long, before it is
    needed. Certificates are followed when they are renewed; a password is not.

    Raises:
        SettingsError: A file cannot be used, or settings contradict each other; names them.
    """
    if problems := security_contradictions(settings):
        raise SettingsError(problems)
    arguments: dict[str, Any] = {"security_protocol": settings.security_protocol.upper()}
    if settings.security_protocol.endswith("ssl"):
        arguments["ssl_context"] = TlsContext(TlsFiles.of(settings, "kafka"))
    if settings.sasl_mechanism is not None:
        arguments["sasl_mechanism"] = settings.sasl_mechanism
        if settings.sasl_mechanism == "OAUTHBEARER":
            arguments["sasl_oauth_token_provider"] = token_provider(settings)
        else:
            arguments["sasl_plain_username"] = settings.sasl_username
            arguments["sasl_plain_password"] = secret(
                settings.sasl_password, settings.sasl_password_file, "kafka.sasl_password"
            )
    return arguments
