"""The fields about TLS that every section has whose service may be spoken to over it."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr

TLS_FILES: Final = (
    "ssl_ca_file",
    "ssl_cert_file",
    "ssl_key_file",
    "ssl_key_password",
    "ssl_key_password_file",
)
"""Those that have no meaning without TLS."""


class TlsSettings(BaseModel):
    """Whom to trust, and how to show who we are."""

    model_config = ConfigDict(extra="forbid")

    ssl_ca_file: Path | None = Field(
        default=None,
        description="TLS: PEM certificates of those who sign the server's; the system's when "
        "absent.",
    )
    ssl_cert_file: Path | None = Field(
        default=None, description="TLS: our certificate (PEM), for a server that asks for one."
    )
    ssl_key_file: Path | None = Field(
        default=None, description="TLS: its key (PEM); in `ssl_cert_file` when absent."
    )
    ssl_key_password: SecretStr | None = Field(default=None, description="Opens the key.")
    ssl_key_password_file: Path | None = Field(
        default=None, description="Holds what opens the key."
    )
    ssl_check_hostname: bool = Field(
        default=True,
        description="TLS: the server's certificate must be for the name that we connect to. Off, "
        "any certificate that `ssl_ca_file` signed will do.",
    )


def two_key_passwords(settings: TlsSettings, section: str) -> list[str]:
    """The contradiction of two passwords for one key, if it is there."""
    if settings.ssl_key_password is None or settings.ssl_key_password_file is None:
        return []
    return [f"{section}.ssl_key_password and {section}.ssl_key_password_file: give one of the two"]
