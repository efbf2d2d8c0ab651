"""The policy store in Redis or Valkey; see `policy.store.PolicyStore`.

Four kinds of keys, none of which expires: the state, one hash of releases and one list of history
for each policy. A change is one transaction upon the state that was read (WATCH), and is published
in it; the state is read every few moments all the same, so a lost message costs no more than that.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

import orjson
import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import NoPermissionError, RedisError, WatchError

from afterguard.contracts.errors import StateUnavailable
from afterguard.contracts.releases import Change, HistoryEntry, Release, StoreState, changed
from afterguard.state.connection import connector, words
from afterguard.state.settings import RedisSettings

_log = structlog.get_logger(__name__)

_FAULTS: Final = (RedisError, OSError, TimeoutError)
# Each lost race is somebody else's change, so a person's wish does not need many.
_RACES: Final = 50

Answer = TypeVar("Answer")


class RedisPolicyStore:
    """Keeps policies under `<redis.key_prefix>:policies:`.

    Args:
        settings: Where Redis is and how long to wait for one answer.
        poll_s: The state is read at least so often while it is watched, seconds.

    Raises:
        SettingsError: Redis can never be reached in the way that the settings say.
    """

    def __init__(self, settings: RedisSettings, *, poll_s: float = 0.5) -> None:
        self._connect = connector(settings)
        self._timeout_s, self._poll_s = settings.timeout_s, poll_s
        self._place = _without_login(settings)
        self._prefix = f"{settings.key_prefix}:policies:"
        self._state, self._channel = f"{self._prefix}state", f"{self._prefix}changes"
        self._client: Redis | None = None
        self._listens = True

    @property
    def place(self) -> str:
        """See `PolicyStore.place`."""
        return self._place

    async def state(self) -> StoreState:
        """See `PolicyStore.state`."""
        return _state(await self._ask(self._redis().get(self._state)))

    async def document(self, policy_id: str, version: str) -> Release | None:
        """See `PolicyStore.document`."""
        raw = await self._ask(_later(self._redis().hget(self._releases(policy_id), version)))
        if raw is None:
            return None
        try:
            found = orjson.loads(raw)
            return Release(str(found["text"]), found.get("calibration"))
        except (ValueError, KeyError, TypeError, AttributeError):
            # A text that is broken is as good as none; it is not Redis that fails.
            return Release("")

    async def versions(self, policy_id: str) -> list[str]:
        """See `PolicyStore.versions`."""
        found = await self._ask(_later(self._redis().hkeys(self._releases(policy_id))))
        return sorted(it.decode() for it in found)

    async def change(self, change: Change, *, expected: int) -> StoreState:
        """See `PolicyStore.change`."""
        for _ in range(_RACES):
            with suppress(WatchError):
                return await self._ask(self._changed(change, expected))
        raise StateUnavailable(f"{self._place}: others change it all the time; try again")

    async def history(self, policy_id: str) -> list[HistoryEntry]:
        """See `PolicyStore.history`."""
        found = await self._ask(_later(self._redis().lrange(self._history(policy_id), 0, -1)))
        try:
            return [HistoryEntry.model_validate_json(it) for it in found]
        except ValidationError:
            raise StateUnavailable(f"the history of {policy_id} makes no sense") from None

    async def watch(self) -> AsyncGenerator[StoreState, None]:
        """See `PolicyStore.watch`."""
        pubsub = self._redis().pubsub(ignore_subscribe_messages=True)
        try:
            # Its confirmation ends the first wait, so that nothing is missed before it.
            await self._ask(pubsub.subscribe(self._channel))
            while True:
                yield await self.state()
                await self._ask(self._news(pubsub), patience_s=self._poll_s)
        finally:
            with suppress(*_FAULTS):
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    async def close(self) -> None:
        """See `PolicyStore.close`."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(*_FAULTS):
                await client.aclose()

    async def _changed(self, change: Change, expected: int) -> StoreState:
        name = change.policy_id
        async with self._redis().pipeline(transaction=True) as pipe:
            await pipe.watch(self._state)
            before = _state(await pipe.get(self._state))
            after = changed(before, change, expected=expected, at=datetime.now(UTC))
            entry = after.policies[name].changed
            pipe.multi()  # type: ignore[no-untyped-call]
            # From here on a command only queues, and gives the pipeline back.
            if change.release is not None and change.version is not None:
                release = orjson.dumps(change.release._asdict())
                _ = pipe.hset(self._releases(name), change.version, release)
            _ = pipe.rpush(self._history(name), entry.model_dump_json())
            _ = pipe.set(self._state, after.model_dump_json())
            _ = pipe.publish(self._channel, str(after.revision))
            await pipe.execute()
        return after

    async def _news(self, pubsub: PubSub) -> None:
        """Wait for a message, but no longer than until the next look is due."""
        if not self._listens:
            await asyncio.sleep(self._poll_s)
            return
        try:
            await pubsub.get_message(timeout=self._poll_s)
        except NoPermissionError:
            self._listens = False
            _log.warning("Redis announces no changes to this user; it is asked for them instead")

    async def _ask(self, answer: Awaitable[Answer], patience_s: float = 0.0) -> Answer:
        try:
            async with asyncio.timeout(self._timeout_s + patience_s):
                return await answer
        except WatchError:
            raise
        except _FAULTS as error:
            raise StateUnavailable(f"{self._place}: {words(error)}") from None

    def _redis(self) -> Redis:
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _releases(self, policy_id: str) -> str:
        return f"{self._prefix}releases:{policy_id}"

    def _history(self, policy_id: str) -> str:
        return f"{self._prefix}history:{policy_id}"


def _state(raw: Any) -> StoreState:  # noqa: ANN401 (as the client gives it)
    try:
        return StoreState.model_validate_json(raw) if raw is not None else StoreState()
    except ValidationError:
        raise StateUnavailable("what the policy store holds makes no sense") from None


def _later(answer: Any) -> Awaitable[Any]:  # noqa: ANN401
    # The client's types say that it may answer at once; the asynchronous one never does.
    return cast("Awaitable[Any]", answer)


def _without_login(settings: RedisSettings) -> str:
    assert settings.url is not None
    parts = urlsplit(settings.url.get_secret_value())
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
