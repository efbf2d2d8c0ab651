"""Events that were judged and published, in Redis; see `flow.ports.SeenEvents`."""

from collections.abc import Sequence

from afterguard.contracts.coordinates import Coordinates
from afterguard.state.batches import Batches


class RedisSeenEvents:
    """Remembers events for `redis.seen_ttl_s` seconds; the first place of an event stays."""

    def __init__(self, batches: Batches, ttl_s: int) -> None:
        self._batches, self._ttl_s = batches, ttl_s

    @property
    def away(self) -> bool:
        """See `flow.ports.SeenEvents.away`."""
        return self._batches.away

    async def first_seen(self, keys: Sequence[str]) -> list[Coordinates | None]:
        """See `flow.ports.SeenEvents.first_seen`."""
        return [_read(value) for value in await self._batches.get_many(keys)]

    def mark(self, key: str, origin: Coordinates) -> None:
        """See `flow.ports.SeenEvents.mark`."""
        self._batches.put(key, str(origin).encode(), self._ttl_s, once=True)


def _read(value: bytes | None) -> Coordinates | None:
    if value is None:
        return None
    try:
        topic, partition, offset = value.decode().rsplit("/", 2)
        return Coordinates(topic, int(partition), int(offset))
    except ValueError:
        return None
