"""Chooses faults by a seeded chance and injects them, until enough or until told to end."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from time import monotonic, time

from tests.chaos.commits import passed
from tests.chaos.engine_faults import EngineFrozen, EngineKilled, EngineSlow, StandInDies
from tests.chaos.fates_watch import FatesWatch
from tests.chaos.fault import Fault, Injury, Quota, Scene
from tests.chaos.member import Member, State
from tests.chaos.plan import Plan
from tests.chaos.service_faults import (
    BadInput,
    BrokerFrozen,
    ConnectionsCut,
    RedisFrozen,
    RedisKilled,
)
from tests.chaos.worker_faults import Joined, Killed, Paused, Replaced, Zombie

_MOST_AT_ONCE = 3
_PATIENCE_S = 12.0


def faults_of(plan: Plan) -> list[Fault]:
    """All that can happen to this fleet."""
    faults: list[Fault] = [Killed(), Replaced(), Joined(), Zombie(), Paused()]
    faults += [RedisKilled(), RedisFrozen(), ConnectionsCut(), BrokerFrozen(), BadInput()]
    if plan.engines != "unsteady":
        faults += [EngineKilled(), EngineFrozen()]
    if plan.engines != "vllm":
        faults += [StandInDies("engine_deaths" if plan.engines == "unsteady" else None)]
        faults += [EngineSlow()]
    return faults


class Injector:
    """Injects.

    Args:
        scene: What is struck.
        faults: To choose from.
        watch: Knows what is in flight.
        group_id: Whose partitions.

    Attributes:
        injuries: What was injected, in order.
    """

    def __init__(self, scene: Scene, faults: list[Fault], watch: FatesWatch, group_id: str) -> None:
        self._scene, self._faults, self._watch, self._group_id = scene, faults, watch, group_id
        self._strikes: dict[asyncio.Task[None], Fault] = {}
        self._reached: Counter[Quota] = Counter()
        self.injuries: list[Injury] = []

    async def run(self, end: asyncio.Event) -> None:
        """Inject until told to end, or until every number that was asked for is reached."""
        try:
            while not end.is_set() and not self.enough:
                self._raise_failed()
                self._scene.fleet.look()
                if len(self._strikes) >= _MOST_AT_ONCE or (chosen := self._choose()) is None:
                    await asyncio.sleep(0.2)
                    continue
                injury = self._inject(*chosen)
                await self._rest(injury, end)
        finally:
            # What was frozen goes on, what was stopped starts, whatever ends this.
            if self._strikes:
                await asyncio.wait(self._strikes)
        self._raise_failed()

    def saw(self, offsets: Mapping[int, int], now: float) -> None:
        """What the group has committed by now."""
        for injury in self.injuries:
            if injury.recovered_s is None and passed(offsets, injury.ends):
                injury.recovered_s = now - injury.at

    @property
    def wanted(self) -> dict[Quota, int]:
        """What is still to come of what was asked for."""
        return {it: max(0, most - self._reached[it]) for it, most in self._asked.items()}

    @property
    def _asked(self) -> dict[Quota, int]:
        plan = self._scene.plan
        asked: dict[Quota, int | None] = {
            "kills": plan.kills,
            "rebalances": plan.rebalances,
            "engine_deaths": plan.engine_deaths,
        }
        return {quota: number for quota, number in asked.items() if number is not None}

    @property
    def enough(self) -> bool:
        """Whether all that was asked for is reached; never, when nothing was."""
        wanted = self.wanted
        return bool(wanted) and not any(wanted.values())

    def _choose(self) -> tuple[Fault, list[Member]] | None:
        if 2 * len(self._scene.fleet.serving()) < self._scene.plan.workers:
            return None  # to strike who is down already shows little
        under_way = {type(it) for it in self._strikes.values()}
        left = [it for it in self._faults if type(it) not in under_way]
        while left:
            (fault,) = self._scene.random.choices(left, [self._weight(it) for it in left])
            victims = fault.victims(self._scene)
            if victims is not None:
                return fault, victims
            left.remove(fault)
        return None

    def _weight(self, fault: Fault) -> float:
        asked = self._asked
        if fault.quota not in asked:
            return fault.weight
        share = self.wanted[fault.quota] / max(1, asked[fault.quota])
        return fault.weight * (0.05 + 2 * share)

    def _inject(self, fault: Fault, victims: list[Member]) -> Injury:
        fleet, held = self._scene.fleet, self._scene.coordinator.assigned(self._group_id)
        times = max(1, len(victims))
        injury = Injury(
            fault.name,
            fault.moves_work,
            times,
            monotonic(),
            int(time() * 1000),
            frozenset().union(*(held.get(it.client, ()) for it in victims or fleet)),
            sum(self._watch.in_flight(it) for it in victims or fleet),
            sum(self._watch.in_flight(it) for it in fleet),
            dict(self._scene.load.ledger.ends),
        )
        for member in victims:
            member.state = State.HURT
        self.injuries.append(injury)
        if fault.quota:
            self._reached[fault.quota] += times
        task = asyncio.create_task(self._strike(fault, victims), name=fault.name)
        self._strikes[task] = fault
        return injury

    async def _strike(self, fault: Fault, victims: list[Member]) -> None:
        try:
            await fault.strike(self._scene, victims)
        finally:
            for member in victims:
                if member.state is State.HURT:
                    member.state = State.SERVING

    async def _rest(self, injury: Injury, end: asyncio.Event) -> None:
        chance = self._scene.random
        patience_s = _PATIENCE_S if chance.random() < 0.5 else chance.uniform(0.3, 2.5)
        late = monotonic() + patience_s
        while injury.recovered_s is None and monotonic() < late and not end.is_set():
            await asyncio.sleep(0.1)
        await asyncio.sleep(chance.uniform(0.2, 1))

    def _raise_failed(self) -> None:
        for task in [it for it in self._strikes if it.done()]:
            del self._strikes[task]
            task.result()
