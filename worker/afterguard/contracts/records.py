"""Records as the log gives and takes them, before and after they mean anything."""

from typing import NamedTuple

from afterguard.contracts.coordinates import Coordinates

Headers = tuple[tuple[str, bytes | None], ...]


class InputRecord(NamedTuple):
    """One record as it was read.

    Attributes:
        coordinates: Where it stands in the log.
        key: Its bytes, or None.
        value: Its bytes; None for a tombstone.
        headers: Name and bytes, in order; a name may repeat.
        timestamp_ms: The log's own time, milliseconds since the epoch.
    """

    coordinates: Coordinates
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int = 0

    def header(self, name: str) -> bytes | None:
        """The first header of that name, or None."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class OutputRecord(NamedTuple):
    """One record to be written. `partition` is chosen by the key when None."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None
