"""Batches: many lookups become one call, writes happen behind the flow's back.

A lookup for each event would cost a round trip and some hundred microseconds of Python each; what
is asked in one turn of the event loop goes out as one MGET.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from afterguard.state.circuit import Circuit
from afterguard.state.connection import connector, words
from afterguard.state.settings import RedisSettings
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_MOST_WAITING = 20_000
_FAULTS = (RedisError, OSError, TimeoutError)

Question = tuple[str, "asyncio.Future[bytes | None]"]
Write = tuple[str, bytes, int, bool]


class Batches:
    """Reads and writes by key. Never raises for a Redis that is away, slow or full.

    Args:
        settings: Where Redis is and how long to wait.
        metrics: Where faults are shown.

    Raises:
        SettingsError: Redis can never be reached in the way that the settings say.
    """

    def __init__(self, settings: RedisSettings, metrics: Metrics) -> None:
        self._settings, self._metrics = settings, metrics
        self._prefix = f"{settings.key_prefix}:"
        self._circuit = Circuit(settings.retry_after_s, metrics)
        self._connect = connector(settings)
        self._client: Redis | None = None
        self._asked: list[tuple[str, asyncio.Future[bytes | None]]] = []
        self._reads: set[asyncio.Task[None]] = set()
        self._writes: deque[Write] = deque(maxlen=_MOST_WAITING)
        self._wake, self._ending = asyncio.Event(), asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    @property
    def prefix(self) -> str:
        """What every key begins with."""
        return self._prefix

    @property
    def away(self) -> bool:
        """Whether the last call failed."""
        return self._circuit.away

    async def start(self) -> None:
        """Connect lazily; a Redis that is away now may come later."""
        self._client = client = self._connect()
        self._ending.clear()
        self._writer = asyncio.create_task(self._write(client), name="redis-writer")

    async def stop(self) -> None:
        """Write what is waiting, within the timeout, and disconnect."""
        writer, self._writer = self._writer, None
        if writer is not None:
            # Not cancelled: redis-py swallows a cancellation at times, and the writer would stay.
            self._ending.set()
            self._wake.set()
            await asyncio.gather(writer, *self._reads, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The value of each key, in order; None where there is none or Redis is away."""
        if self._client is None or not self._circuit.passes:
            return [None] * len(keys)
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._ask)
        futures = [loop.create_future() for _ in keys]
        self._asked += zip(keys, futures, strict=True)
        return [await future for future in futures]

    def put(self, key: str, value: bytes, ttl_s: int, *, once: bool = False) -> None:
        """Write later; `once` keeps a value that is there already."""
        if len(self._writes) == _MOST_WAITING:
            self._metrics.redis_dropped.inc()
        self._writes.append((self._prefix + key, value, ttl_s, once))
        self._wake.set()

    async def run(self, fill: Callable[[Pipeline], object]) -> list[Any] | None:
        """Several commands in one call.

        Args:
            fill: Puts the commands into a pipeline; keys begin with `prefix`.

        Returns:
            The answers, an error among them where Redis refused one command; None when it is away.
        """
        client = self._client
        if client is None or not self._circuit.passes:
            return None
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                async with client.pipeline(transaction=False) as pipe:
                    fill(pipe)
                    answers: list[Any] = await pipe.execute(raise_on_error=False)
        except _FAULTS as error:
            self._fault(error)
            return None
        self._circuit.succeeded()
        return answers

    def _ask(self) -> None:
        asked, self._asked = self._asked, []
        size = self._settings.batch_keys
        for at in range(0, len(asked), size):
            task = asyncio.create_task(self._read(asked[at : at + size]))
            self._reads.add(task)
            task.add_done_callback(self._reads.discard)

    async def _read(self, asked: Sequence[Question]) -> None:
        values: Sequence[bytes | None] = [None] * len(asked)
        client = self._client
        try:
            if client is not None and self._circuit.passes:
                async with asyncio.timeout(self._settings.timeout_s):
                    # The client is made without `decode_responses`, so its answers are bytes.
                    values = cast(
                        "list[bytes | None]",
                        await client.mget([self._prefix + key for key, _ in asked]),
                    )
                self._circuit.succeeded()
        except _FAULTS as error:
            self._fault(error)
        finally:
            # Whatever happens, nobody may be left waiting.
            for (_, future), value in zip(asked, values, strict=True):
                if not future.done():
                    future.set_result(value)

    async def _write(self, client: Redis) -> None:
        while self._writes or not self._ending.is_set():
            await self._wake.wait()
            self._wake.clear()
            while self._writes:
                if not self._circuit.passes and await self._ends_within(
                    self._settings.retry_after_s
                ):
                    return
                await self._flush(client)

    async def _ends_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()
        return self._ending.is_set()

    async def _flush(self, client: Redis) -> None:
        batch = [
            self._writes.popleft() for _ in range(min(len(self._writes), self._settings.batch_keys))
        ]
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                async with client.pipeline(transaction=False) as pipe:
                    for key, value, ttl_s, once in batch:
                        # In a pipeline `set` only queues, and gives the pipeline back.
                        _ = pipe.set(key, value, ex=ttl_s, nx=once)
                    answers = await pipe.execute(raise_on_error=False)
            refused = sum(isinstance(answer, Exception) for answer in answers)
            self._metrics.redis_dropped.inc(refused)
            self._circuit.succeeded()
        except _FAULTS as error:
            self._metrics.redis_dropped.inc(len(batch))
            self._fault(error)

    def _fault(self, error: BaseException) -> None:
        if not self._circuit.away:
            _log.warning("Redis does not answer; going on without", error=words(error))
        self._circuit.failed()
