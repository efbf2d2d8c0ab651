"""The verdict cache in Redis; see `flow.ports.VerdictCache`."""

from collections.abc import Sequence

from afterguard.state.batches import Batches


class RedisVerdictCache:
    """Keeps judgements for `redis.verdict_ttl_s` seconds."""

    def __init__(self, batches: Batches, ttl_s: int) -> None:
        self._batches, self._ttl_s = batches, ttl_s

    @property
    def away(self) -> bool:
        """See `flow.ports.VerdictCache.away`."""
        return self._batches.away

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """See `flow.ports.VerdictCache.get_many`."""
        return await self._batches.get_many(keys)

    def put(self, key: str, value: bytes) -> None:
        """See `flow.ports.VerdictCache.put`."""
        self._batches.put(key, value, self._ttl_s)
