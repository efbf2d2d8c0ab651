"""Tokens for OAUTHBEARER: from a file that somebody renews, or from an operator's function."""

import asyncio
import importlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from afterguard.contracts.errors import SettingsError
from afterguard.security.secret_files import read_secret
from afterguard.stream.security_settings import KafkaSecuritySettings

_log = structlog.get_logger(__name__)

_TOKEN_S: Final = 20.0

Source = Callable[[], Awaitable[object]]


class NoToken(KafkaConnectionError):  # type: ignore[misc]
    """There was no token to log in with; the same connection may be tried again.

    It is an error of aiokafka's, since any other would end a background task of its clients.
    """


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Asked by aiokafka for each connection.

    Args:
        source: Gets the token.
        setting: Names the setting it comes from.
    """

    def __init__(self, source: Source, setting: str) -> None:
        self._source, self._setting = source, setting

    async def token(self) -> str:
        """The token.

        Raises:
            NoToken: The source failed, gave no text, or took too long.
        """
        try:
            async with asyncio.timeout(_TOKEN_S):
                token = await self._source()
        except SettingsError as error:
            raise self._none(str(error)) from None
        except Exception as error:  # noqa: BLE001 (whatever a foreign function raises)
            # Its own words may quote what it was given to ask with.
            raise self._none(f"{self._setting} raised {type(error).__name__}") from None
        if not isinstance(token, str) or not token:
            raise self._none(f"{self._setting} returned no text")
        return token

    def _none(self, problem: str) -> NoToken:
        _log.warning("no token to log in to the broker with", problem=problem)
        return NoToken(problem)


def token_provider(settings: KafkaSecuritySettings) -> TokenProvider:
    """The provider that the settings describe.

    Raises:
        SettingsError: The file cannot be read, or the function cannot be found.
    """
    if settings.sasl_token_file is not None:
        file, setting = settings.sasl_token_file, "kafka.sasl_token_file"
        read_secret(file, setting)  # a path that is wrong is told at the start
        return TokenProvider(lambda: asyncio.to_thread(read_secret, file, setting), setting)
    setting, path = "kafka.sasl_token_provider", settings.sasl_token_provider or ""
    return TokenProvider(_called(_found(path, setting)), f"{setting} {path}")


def _found(path: str, setting: str) -> Callable[[], object]:
    module, _, name = path.partition(":")
    try:
        function = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # noqa: BLE001 (a foreign module may raise anything)
        raise SettingsError(
            [f"{setting}: {module} cannot be imported: {type(error).__name__}"]
        ) from None
    if not callable(function):
        raise SettingsError([f"{setting}: {module} has no function {name}"])
    found: Callable[[], object] = function
    return found


def _called(function: Callable[[], object]) -> Source:
    async def get() -> object:
        if inspect.iscoroutinefunction(function):
            return await function()
        result = await asyncio.to_thread(function)
        return await result if inspect.isawaitable(result) else result

    return get
