"""Looks at every worker's metrics while it runs: what is in flight, and whether fates balance."""

import asyncio

from tests.chaos.fleet import Fleet
from tests.chaos.member import Gauges, Member, State

_LOOK_S = 1.0


class FatesWatch:
    """Looks once a second, until cancelled.

    A page may be made while the gauges change, so what is out of balance counts when it is so
    twice in a row.

    Attributes:
        looks: Pages that were read.
        unbalanced: One line for each fault found.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._seen: dict[str, Gauges] = {}
        self.looks = 0
        self.unbalanced: list[str] = []

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            serving = [it for it in self._fleet if it.state is State.SERVING]
            names = [it.client for it in serving]
            for name, now in zip(
                names, await asyncio.gather(*(it.gauges() for it in serving)), strict=True
            ):
                if now is not None:
                    self._compare(name, now)
            await asyncio.sleep(_LOOK_S)

    def in_flight(self, member: Member) -> int:
        """Events in flight in a worker when it was last looked at."""
        seen = self._seen.get(member.client)
        return seen.in_flight if seen else 0

    def _compare(self, name: str, now: Gauges) -> None:
        self.looks += 1
        before = self._seen.get(name)
        self._seen[name] = now
        if not now.balanced and before is not None and not before.balanced:
            self.unbalanced.append(f"{name}: {now._asdict()}")
