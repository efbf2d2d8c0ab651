"""Deaths behind requests, in Redis; see `flow.ports.Attempts`.

One hash holds the requests of about a thousand offsets of a partition. It is read as a whole, once
a second at most, so most questions cost nothing; what is to be kept in one turn of the loop goes
out as one HSET and one HDEL for each hash, whatever the number of requests. Counts are written and
not increased: only the owner of a partition writes there, and it has just read them.
"""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from redis.asyncio.client import Pipeline

from afterguard.contracts.coordinates import Coordinates
from afterguard.flow.ports import JudgeRequest, subject
from afterguard.state.batches import Batches

_OFFSETS_A_HASH: Final = 1_024
# Another owner's deaths come with its partition, and that takes a session timeout.
_FRESH_S: Final = 1.0
# Far more than what is in flight can be spread over.
_MOST_HASHES: Final = 1_000


class _Hash:
    """What is known of one hash, and what it is to hold."""

    __slots__ = ("key", "known", "read_at", "reading", "wanted")

    def __init__(self, key: str) -> None:
        self.key = key
        self.known: dict[str, int] = {}
        self.wanted: dict[str, int] = {}
        self.read_at = float("-inf")
        self.reading: asyncio.Task[None] | None = None


class RedisAttempts:
    """Keeps counts for `redis.attempts_ttl_s` seconds.

    Args:
        batches: The connection.
        group_id: Of the consumer group: each judges for itself.
        ttl_s: How long a hash is kept after the last write to it.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        batches: Batches,
        group_id: str,
        ttl_s: int,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._batches, self._ttl_s, self._clock = batches, ttl_s, clock
        self._prefix = f"{batches.prefix}attempts:{group_id}:"
        self._hashes: dict[tuple[str, int, int], _Hash] = {}
        self._touched: set[_Hash] = set()
        self._owed: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    async def start(self) -> None:
        """Begin to write."""
        self._closing = False
        self._writer = asyncio.create_task(self._write(), name="attempts-writer")

    async def stop(self) -> None:
        """Write what is waiting."""
        writer, self._writer = self._writer, None
        if writer is not None:
            # Not cancelled: what it holds in its hands would be lost.
            self._closing = True
            self._wake.set()
            await asyncio.wait({writer})

    async def deaths(self, request: JudgeRequest) -> int:
        """See `flow.ports.Attempts.deaths`."""
        origin = request.origin
        if origin is None or self._writer is None:
            return 0
        kept, field = self._hash(origin), _field(origin, request)
        if self._clock() - kept.read_at > _FRESH_S:
            if kept.reading is None:
                kept.reading = asyncio.create_task(self._read(kept))
            # Others wait for the same answer: who is cancelled must not take it from them.
            await asyncio.wait({kept.reading})
        wanted = kept.wanted.get(field)
        return kept.known.get(field, 0) if wanted is None else wanted

    async def charge(self, request: JudgeRequest, deaths: int) -> None:
        """See `flow.ports.Attempts.charge`."""
        if request.origin is None or self._writer is None:
            return
        written = asyncio.get_running_loop().create_future()
        self._owed.append(written)
        self._want(request.origin, request, deaths)
        await written

    def remember(self, request: JudgeRequest, deaths: int) -> None:
        """See `flow.ports.Attempts.remember`."""
        if request.origin is not None:
            self._want(request.origin, request, deaths)

    def _hash(self, origin: Coordinates) -> _Hash:
        place = origin.topic, origin.partition, origin.offset // _OFFSETS_A_HASH
        kept = self._hashes.get(place)
        if kept is None:
            if len(self._hashes) >= _MOST_HASHES:
                self._hashes.clear()
            kept = _Hash(f"{self._prefix}{place[0]}/{place[1]}/{place[2]}")
            self._hashes[place] = kept
        return kept

    def _want(self, origin: Coordinates, request: JudgeRequest, deaths: int) -> None:
        kept, field = self._hash(origin), _field(origin, request)
        kept.wanted[field] = deaths
        if deaths:
            kept.known[field] = deaths
        else:
            kept.known.pop(field, None)
        self._touched.add(kept)
        self._wake.set()

    async def _read(self, kept: _Hash) -> None:
        answers: list[Any] | None = None
        try:
            answers = await self._batches.run(lambda pipe: pipe.hgetall(kept.key))
        finally:
            # A command that Redis refused has an error in the place of its answer.
            found = answers[0] if answers else None
            kept.known = _counts(found) if isinstance(found, dict) else {}
            kept.read_at, kept.reading = self._clock(), None

    async def _write(self) -> None:
        while not self._closing or self._touched:
            await self._wake.wait()
            # All that this turn of the loop brings goes out together.
            await asyncio.sleep(0)
            await self._flush()

    async def _flush(self) -> None:
        self._wake.clear()
        touched, self._touched = self._touched, set()
        owed, self._owed = self._owed, []
        try:
            if touched:
                await self._batches.run(lambda pipe: self._fill(pipe, touched))
        finally:
            # Whatever happens, nobody may be left waiting.
            for written in owed:
                if not written.done():
                    written.set_result(None)

    def _fill(self, pipe: Pipeline, touched: set[_Hash]) -> None:
        # In a pipeline a command only queues, and gives the pipeline back.
        for kept in touched:
            wanted, kept.wanted = kept.wanted, {}
            charged: list[str | int] = []
            gone: list[str] = []
            for field, deaths in wanted.items():
                if deaths:
                    charged += field, deaths
                else:
                    gone.append(field)
            if charged:
                _ = pipe.hset(kept.key, items=charged)
                _ = pipe.expire(kept.key, self._ttl_s)
            if gone:
                _ = pipe.hdel(kept.key, *gone)


def _field(origin: Coordinates, request: JudgeRequest) -> str:
    # A first look that went well forgets its deaths; those of the second must outlive that.
    look = "/again" if request.second else ""
    return f"{origin.offset}/{subject(request.policies)}{look}"


def _counts(found: dict[bytes, bytes]) -> dict[str, int]:
    return {
        field.decode("utf-8", "replace"): int(value)
        for field, value in found.items()
        if value.isdigit()
    }
