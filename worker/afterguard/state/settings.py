"""The `redis` section of the settings."""

from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from afterguard.security.tls_settings import TLS_FILES, TlsSettings, two_key_passwords

_SCHEMES: Final = frozenset({"redis", "rediss", "unix"})
_LOGIN: Final = ("username", "password", "password_file")


class RedisClientSettings(BaseModel):
    """Where Redis or Valkey is, who we are to it, and what is kept there for how long."""

    model_config = ConfigDict(extra="forbid")

    url: SecretStr | None = Field(
        default=None,
        description="redis://host:6379/0, or rediss:// for TLS; it may hold user and password. "
        "Without it nothing is cached or recognised.",
    )
    username: str | None = Field(
        default=None, min_length=1, description="ACL user; the server's default user when absent."
    )
    password: SecretStr | None = Field(default=None, description="Of the user.")
    password_file: Path | None = Field(
        default=None, description="Holds the password; read for each connection."
    )
    timeout_s: float = Field(default=0.25, gt=0, description="For one call; then it is a miss.")
    retry_after_s: float = Field(
        default=2.0, gt=0, description="How long Redis is left alone after a fault."
    )
    verdict_ttl_s: int = Field(
        default=86_400, ge=1, description="How long a judgement is repeated for equal content."
    )
    seen_ttl_s: int = Field(
        default=7 * 86_400, ge=1, description="How long an event is recognised when sent again."
    )
    attempts_ttl_s: int = Field(
        default=86_400,
        ge=1,
        description="How long it is known that an event was at an engine or a worker that died.",
    )
    key_prefix: str = Field(
        default="afterguard", min_length=1, description="Of every key; one Redis may serve several."
    )
    batch_keys: int = Field(default=512, ge=1, description="Most keys asked for in one call.")


class RedisSettings(TlsSettings, RedisClientSettings):
    """Where Redis or Valkey is, how it is spoken to, and how long the worker waits for it."""


def redis_contradictions(settings: RedisSettings) -> list[str]:
    """One line for each setting of Redis that does not fit its address or another one."""
    given = [name for name in (*_LOGIN, *TLS_FILES) if getattr(settings, name) is not None]
    if settings.url is None:
        return [f"redis.{name}: has no meaning without redis.url" for name in given]
    parts = _parts(settings.url.get_secret_value())
    if parts is None:
        return ["redis.url: must look like redis://user:password@host:6379/0 (or rediss://)"]
    found: list[str] = []
    if parts.scheme != "rediss":
        found += [
            f"redis.{name}: has no meaning when redis.url is no rediss:// address"
            for name in given
            if name in TLS_FILES
        ]
    found += [
        f"redis.url: {option} is a setting of its own here (redis.ssl_…)"
        for option in parse_qs(parts.query)
        if option.startswith("ssl")
    ]
    return found + _login_faults(settings, has_password=parts.password is not None)


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at only when asked for
    except ValueError:
        return None
    return parts if parts.scheme in _SCHEMES else None


def _login_faults(settings: RedisSettings, *, has_password: bool) -> list[str]:
    found: list[str] = []
    passwords = [
        name
        for name, given in (
            ("redis.url (which holds one)", has_password),
            ("redis.password", settings.password is not None),
            ("redis.password_file", settings.password_file is not None),
        )
        if given
    ]
    if len(passwords) > 1:
        found.append(f"{' and '.join(passwords)}: give one password")
    if settings.username is not None and not passwords:
        found.append("redis.username: needs redis.password or redis.password_file")
    return found + two_key_passwords(settings, "redis")
