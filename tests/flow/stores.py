"""The cache and the memory of events, in a dictionary; they can be away like a Redis."""

from collections.abc import Sequence

from afterguard.contracts.coordinates import Coordinates


class DictCache:
    """See `flow.ports.VerdictCache`."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.kept: dict[str, bytes] = {}

    async def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Nothing while away."""
        return [None if self.away else self.kept.get(key) for key in keys]

    def put(self, key: str, value: bytes) -> None:
        """Lost while away."""
        if not self.away:
            self.kept[key] = value


class DictSeen:
    """See `flow.ports.SeenEvents`."""

    def __init__(self, *, away: bool = False) -> None:
        self.away = away
        self.places: dict[str, Coordinates] = {}

    async def first_seen(self, keys: Sequence[str]) -> list[Coordinates | None]:
        """Nothing while away."""
        return [None if self.away else self.places.get(key) for key in keys]

    def mark(self, key: str, origin: Coordinates) -> None:
        """The first place of an event stays."""
        self.places.setdefault(key, origin)
