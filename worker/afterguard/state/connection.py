"""The way to Redis or Valkey: address, log-in and TLS, all of it checked beforehand."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import ConnectionPool, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    RedisError,
)

from afterguard.contracts.errors import SettingsError
from afterguard.security.secret_files import secret
from afterguard.security.tls import TlsContext, TlsFiles
from afterguard.state.settings import RedisSettings, redis_contradictions


def connector(settings: RedisSettings) -> Callable[[], Redis]:
    """Makes clients; each connects at its first command.

    Raises:
        SettingsError: A file cannot be used, or settings contradict each other; names them.
    """
    if settings.url is None:
        raise SettingsError(["redis.url: needed here"])
    if problems := redis_contradictions(settings):
        raise SettingsError(problems)
    options: dict[str, Any] = {
        "socket_timeout": settings.timeout_s,
        "socket_connect_timeout": settings.timeout_s,
        **_address(settings.url.get_secret_value()),
    }
    if settings.password is not None or settings.password_file is not None:
        login = _Login(settings, settings.username or options.pop("username", None))
        login.password()  # a path that is wrong is told at the start
        options["credential_provider"] = login
    elif settings.username is not None:
        options["username"] = settings.username
    if issubclass(options.get("connection_class", object), SSLConnection):
        options |= {
            "connection_class": _TlsConnection,
            "tls": TlsContext(TlsFiles.of(settings, "redis")),
        }
    # The circuit decides when to try again; a retry inside a call would outlast its time.
    return lambda: Redis.from_pool(ConnectionPool(**options, retry=Retry(NoBackoff(), 0)))


async def look(settings: RedisSettings) -> str | None:
    """What is wrong with the server, in words without credentials; None when it can be used.

    Reads and writes under our prefix, since a user may be allowed less than the worker needs.

    Raises:
        SettingsError: As `connector`.
    """
    client = connector(settings)()
    text, table = (f"{settings.key_prefix}:look:{kind}" for kind in ("text", "table"))
    try:
        async with client.pipeline(transaction=False) as pipe:
            _ = pipe.mget([text])
            _ = pipe.set(text, b"", ex=1)
            _ = pipe.hset(table, "field", "")
            _ = pipe.expire(table, 1)
            _ = pipe.hgetall(table)
            # Read of the policy store.
            _ = pipe.get(text)
            _ = pipe.hget(table, "field")
            _ = pipe.hdel(table, "field")
            await pipe.execute()
    except (RedisError, OSError, TimeoutError) as error:
        return words(error)
    finally:
        await client.aclose()
    return None


def words(error: BaseException) -> str:
    """What an error of the client means, with the setting to look at; never a credential."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    match cause or error:
        case ssl.SSLCertVerificationError() as fault:
            told = f"certificate not trusted: {fault.verify_message}; check redis.ssl_ca_file"
        case ssl.SSLError() as fault:
            told = f"no TLS: {fault.reason}; check redis.url and redis.ssl_cert_file"
        case AuthenticationError():
            told = "log-in refused; check redis.username and redis.password (or its file)"
        case NoPermissionError():
            told = "the user may not do what is needed; see the ACL in docs/worker.md"
        case OutOfMemoryError():
            told = "full (maxmemory); what is new is not kept"
        case other:
            told = type(other).__name__
    return told


def _address(url: str) -> dict[str, Any]:
    try:
        return dict(parse_url(url))
    except ValueError:
        raise SettingsError(
            ["redis.url: must look like redis://user:password@host:6379/0 (or rediss://)"]
        ) from None


class _TlsConnection(SSLConnection):
    """Uses our context instead of one that never looks at its files again."""

    def __init__(self, *, tls: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = tls


class _Login(CredentialProvider):
    """Asked for each connection, so a password that is renewed on disk needs no restart."""

    def __init__(self, settings: RedisSettings, username: str | None) -> None:
        self._settings, self._username = settings, username

    def password(self) -> str:
        settings = self._settings
        return secret(settings.password, settings.password_file, "redis.password") or ""

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        try:
            password = await asyncio.to_thread(self.password)
        except SettingsError as error:
            raise AuthenticationError(str(error)) from None
        return (self._username, password) if self._username is not None else (password,)
