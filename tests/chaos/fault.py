"""What a fault is, and the scene it strikes."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal, Protocol

from tests.chaos.fleet import Fleet
from tests.chaos.load import Load
from tests.chaos.member import Member, State
from tests.chaos.plan import Plan
from tests.group_coordinator import GroupCoordinator

from afterguard.embedded.broker import EmbeddedBroker
from afterguard.embedded.valkey import EmbeddedValkey

Quota = Literal["kills", "rebalances", "engine_deaths"]


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything that can be struck."""

    plan: Plan
    fleet: Fleet
    load: Load
    coordinator: GroupCoordinator
    broker: EmbeddedBroker
    valkey: EmbeddedValkey
    random: random.Random


class Fault(Protocol):
    """One kind of fault.

    Attributes:
        name: In the table.
        weight: How often it is chosen, beside the others.
        quota: What it counts for, once for each victim; None for nothing that can be asked for.
        moves_work: Whether events may go to another worker, or be read again, because of it.
    """

    name: str
    weight: float
    quota: Quota | None
    moves_work: bool

    def victims(self, scene: Scene) -> list[Member] | None:
        """Whom it would strike now; empty when it strikes no single worker; None: not possible."""
        ...

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Inject it; returns when nothing of it is left to take back."""
        ...


@dataclass(slots=True)
class Injury:
    """One fault that was injected.

    Attributes:
        fault: Its name.
        moves_work: As the fault says.
        times: Once for each victim.
        at: When, monotonic seconds.
        at_ms: When, milliseconds of the wall clock, as records have it.
        partitions: Those that the victims held.
        in_flight: Events that the victims had taken in and not settled.
        in_flight_everywhere: The same of the whole fleet: a rebalance takes it from all.
        ends: What had been sent, by partition.
        recovered_s: Until all that had been sent was settled; None while it is not.
    """

    fault: str
    moves_work: bool
    times: int
    at: float
    at_ms: int
    partitions: frozenset[int]
    in_flight: int
    in_flight_everywhere: int
    ends: dict[int, int] = field(repr=False)
    recovered_s: float | None = None


async def until(true: Callable[[], bool], within_s: float) -> bool:
    """Wait for it; False when it did not come."""
    deadline = monotonic() + within_s
    while not true():
        if monotonic() > deadline:
            return False
        await asyncio.sleep(0.1)
    return True


async def until_ended(member: Member, within_s: float = 60.0) -> None:
    """Wait until the process that was struck is gone, or until it is too late to matter."""
    await until(lambda: member.state is not State.HURT, within_s)
