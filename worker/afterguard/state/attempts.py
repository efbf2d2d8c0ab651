"""Deaths behind requests, in Redis; see `flow.ports.Attempts`.

One hash holds the requests of about a thousand offsets of a partition, so all that is asked or
kept at one time is a few commands, whatever the number of requests: an INCR and an EXPIRE for each
would cost ten times as much. Counts are written and not increased: only the owner of a partition
writes there, and it has just read them.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from redis.asyncio.client import Pipeline

from afterguard.contracts.coordinates import Coordinates
from afterguard.flow.ports import JudgeRequest
from afterguard.state.batches import Batches

_OFFSETS_A_HASH: Final = 1_024
# A count that cannot be written is lost; what waits must not grow without end.
_MOST_WAITING: Final = 20_000


class _Place(NamedTuple):
    """Where the count of one request is kept."""

    key: str
    field: str


class RedisAttempts:
    """Keeps counts for `redis.attempts_ttl_s` seconds.

    Args:
        batches: The connection.
        group_id: Of the consumer group: each judges for itself.
        ttl_s: How long a hash is kept after the last write to it.
    """

    def __init__(self, batches: Batches, group_id: str, ttl_s: int) -> None:
        self._batches, self._ttl_s = batches, ttl_s
        self._prefix = f"{batches.prefix}attempts:{group_id}:"
        self._asked: dict[_Place, asyncio.Future[int]] = {}
        self._reads: set[asyncio.Task[None]] = set()
        self._wanted: dict[_Place, int] = {}
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
        if request.origin is None or self._writer is None:
            return 0
        place = self._place(request.origin, request)
        answer = self._asked.get(place)
        if answer is None:
            loop = asyncio.get_running_loop()
            if not self._asked:
                loop.call_soon(self._ask)
            answer = self._asked[place] = loop.create_future()
        return await asyncio.shield(answer)

    async def charge(self, request: JudgeRequest, deaths: int) -> None:
        """See `flow.ports.Attempts.charge`."""
        if request.origin is None or self._writer is None:
            return
        written = asyncio.get_running_loop().create_future()
        self._owed.append(written)
        self._want(self._place(request.origin, request), deaths)
        await written

    def remember(self, request: JudgeRequest, deaths: int) -> None:
        """See `flow.ports.Attempts.remember`."""
        if request.origin is not None:
            self._want(self._place(request.origin, request), deaths)

    def _place(self, origin: Coordinates, request: JudgeRequest) -> _Place:
        at = f"{origin.topic}/{origin.partition}/{origin.offset // _OFFSETS_A_HASH}"
        return _Place(self._prefix + at, f"{origin.offset}/{request.policy.id}")

    def _want(self, place: _Place, deaths: int) -> None:
        if len(self._wanted) < _MOST_WAITING or place in self._wanted:
            self._wanted[place] = deaths
        self._wake.set()

    def _ask(self) -> None:
        asked, self._asked = self._asked, {}
        task = asyncio.create_task(self._read(asked))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)

    async def _read(self, asked: dict[_Place, "asyncio.Future[int]"]) -> None:
        fields = _by_key(asked)
        found: dict[_Place, int] = {}
        try:
            answers = await self._batches.run(
                lambda pipe: [pipe.hmget(key, names) for key, names in fields.items()]
            )
            for (key, names), values in zip(fields.items(), answers or (), strict=False):
                found |= _counts(key, names, values)
        finally:
            # Whatever happens, nobody may be left waiting.
            for place, answer in asked.items():
                if not answer.done():
                    answer.set_result(found.get(place, 0))

    async def _write(self) -> None:
        while not self._closing or self._wanted:
            await self._wake.wait()
            # All that this turn of the loop brings goes out together.
            await asyncio.sleep(0)
            await self._flush()

    async def _flush(self) -> None:
        self._wake.clear()
        wanted, self._wanted = self._wanted, {}
        owed, self._owed = self._owed, []
        try:
            if wanted:
                await self._batches.run(lambda pipe: self._fill(pipe, wanted))
        finally:
            for written in owed:
                if not written.done():
                    written.set_result(None)

    def _fill(self, pipe: Pipeline, wanted: dict[_Place, int]) -> None:
        kept: defaultdict[str, dict[str, int]] = defaultdict(dict)
        gone: list[_Place] = []
        for place, deaths in wanted.items():
            if deaths:
                kept[place.key][place.field] = deaths
            else:
                gone.append(place)
        # In a pipeline a command only queues, and gives the pipeline back.
        for key, counts in kept.items():
            _ = pipe.hset(key, mapping={name: str(deaths) for name, deaths in counts.items()})
            _ = pipe.expire(key, self._ttl_s)
        for key, names in _by_key(gone).items():
            _ = pipe.hdel(key, *names)


def _by_key(places: Iterable[_Place]) -> dict[str, list[str]]:
    fields: defaultdict[str, list[str]] = defaultdict(list)
    for key, field in places:
        fields[key].append(field)
    return fields


def _counts(key: str, names: list[str], values: Any) -> dict[_Place, int]:  # noqa: ANN401 (redis)
    # A command that Redis refused has an error in the place of its answer.
    if not isinstance(values, list):
        return {}
    return {
        _Place(key, name): int(value)
        for name, value in zip(names, values, strict=True)
        if value is not None and value.isdigit()
    }
