"""Faults around the workers: Redis, the connections to the broker, the broker silent, bad input.

The embedded broker is frozen and never killed: it loses acknowledged records on SIGKILL.
"""

import asyncio

from tests.chaos.fault import Quota, Scene
from tests.chaos.member import Member


class _NobodyAlone:
    quota: Quota | None = None
    moves_work = False

    def victims(self, scene: Scene) -> list[Member] | None:
        """Nobody alone."""
        return []


class RedisKilled(_NobodyAlone):
    """SIGKILL; back, and empty, after some seconds."""

    name = "Redis killed, back empty"
    weight = 0.7

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Kill, wait, start."""
        await scene.valkey.kill()
        try:
            await asyncio.sleep(scene.random.uniform(1, 4))
        finally:
            await scene.valkey.start()


class RedisFrozen(_NobodyAlone):
    """SIGSTOP for some seconds."""

    name = "Redis frozen"
    weight = 0.7

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Stop, wait, go on."""
        scene.valkey.freeze()
        try:
            await asyncio.sleep(scene.random.uniform(1, 4))
        finally:
            scene.valkey.thaw()


class ConnectionsCut(_NobodyAlone):
    """Every connection of the workers to the broker breaks, once or some times in a row."""

    name = "broker connections cut"
    weight = 1.0
    moves_work = True

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Cut."""
        for _ in range(scene.random.randint(1, 3)):
            scene.coordinator.cut()
            await asyncio.sleep(scene.random.uniform(0.05, 1))


class BrokerFrozen(_NobodyAlone):
    """SIGSTOP of the broker for less than a session."""

    name = "broker frozen for moments"
    weight = 0.5
    moves_work = True

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Stop, wait, go on."""
        scene.broker.freeze()
        try:
            await asyncio.sleep(scene.plan.session_ms / 1000 * scene.random.uniform(0.2, 0.6))
        finally:
            scene.broker.thaw()


class BadInput(_NobodyAlone):
    """Some records in a row that are no events; single ones come all the time."""

    name = "bad input, five in a row"
    weight = 0.5

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Let the load send them."""
        scene.load.spoil(5)
