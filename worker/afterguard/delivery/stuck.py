"""Stuck: something ought to move and has stood still for too long.

What ought to move is named at each look, so what is idle is not there and never alarms; neither
does what is slow but moves.
"""

from collections.abc import Hashable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Standstill(Generic[Key]):
    """Remembers since when each mark has been the same.

    Args:
        after_s: From then on it is stuck, seconds.
    """

    def __init__(self, after_s: float) -> None:
        self.after_s = after_s
        self._marks: dict[Key, tuple[object, float]] = {}

    def look(self, marks: Mapping[Key, object], now: float) -> list[Key]:
        """Compare with the last look.

        Args:
            marks: Where each stands that ought to move. One that is missing here is idle, and
                begins anew when it comes back.
            now: Monotonic seconds.

        Returns:
            Those that are stuck.
        """
        before = self._marks
        self._marks = {
            key: held if (held := before.get(key)) is not None and held[0] == mark else (mark, now)
            for key, mark in marks.items()
        }
        return [key for key, (_, since) in self._marks.items() if now - since >= self.after_s]

    def still_s(self, key: Key, now: float) -> float:
        """For how long it has stood still, as the looks saw it; 0 when it is idle."""
        held = self._marks.get(key)
        return 0.0 if held is None else max(0.0, now - held[1])
