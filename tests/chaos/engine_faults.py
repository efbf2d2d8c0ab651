"""Faults of engines: killed, frozen, dead by order, slow by order."""

import asyncio
import os
import signal
from contextlib import suppress

from tests.chaos.fault import Quota, Scene, until
from tests.chaos.member import Kind, Member, State

# A tiny model on two busy cores.
_RESTART_S = 180.0


def _one_with(scene: Scene, kind: Kind) -> list[Member] | None:
    serving = scene.fleet.serving(kind)
    return [scene.random.choice(serving)] if serving else None


class EngineKilled:
    """SIGKILL to the process that vLLM's engine runs in."""

    name = "vLLM's engine killed"
    weight = 4.0
    moves_work = True
    quota: Quota | None = "engine_deaths"

    def victims(self, scene: Scene) -> list[Member] | None:
        """One whose engine runs."""
        chosen = _one_with(scene, "vllm")
        return chosen if chosen and chosen[0].engine_cores() else None

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Kill; wait for another engine, or for the worker's end."""
        (member,) = victims
        lives = member.engine_lives()
        _signalled(member, signal.SIGKILL)
        await _runs_again(member, lives)


class EngineFrozen:
    """SIGSTOP to the process that vLLM's engine runs in, until something is done about it."""

    name = "vLLM's engine frozen"
    weight = 0.4
    moves_work = True
    quota: Quota | None = None

    def victims(self, scene: Scene) -> list[Member] | None:
        """One whose engine runs."""
        chosen = _one_with(scene, "vllm")
        return chosen if chosen and chosen[0].engine_cores() else None

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Freeze; wait for another engine, or for the worker's end; in the end let it go on."""
        (member,) = victims
        lives = member.engine_lives()
        cores = _signalled(member, signal.SIGSTOP)
        try:
            await _runs_again(member, lives)
        finally:
            for pid in cores:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)


class StandInDies:
    """The stand-in engine is dead from one request on, until it is started again."""

    name = "stand-in engine dies"
    weight = 1.0
    moves_work = True

    def __init__(self, quota: Quota | None) -> None:
        self.quota: Quota | None = quota

    def victims(self, scene: Scene) -> list[Member] | None:
        """One."""
        return _one_with(scene, "unsteady")

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Give the order; it is taken away by who follows it."""
        (member,) = victims
        lives, order = member.engine_lives(), member.orders / "dead"
        order.touch()
        # Nobody follows it where nothing is judged.
        await until(lambda: not order.exists() or member.state is not State.HURT, 10)
        if not order.exists():
            await _runs_again(member, lives)
        order.unlink(missing_ok=True)


class EngineSlow:
    """The stand-in engines of all workers become slow for a while."""

    name = "stand-in engines slow"
    weight = 0.7
    moves_work = False
    quota: Quota | None = None

    def victims(self, scene: Scene) -> list[Member] | None:
        """Nobody alone."""
        return [] if scene.fleet.serving("unsteady") else None

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Give the order, take it back."""
        orders = [it.orders / "slow" for it in scene.fleet.serving("unsteady")]
        for order in orders:
            order.touch()
        try:
            await asyncio.sleep(scene.random.uniform(3, 7))
        finally:
            for order in orders:
                order.unlink(missing_ok=True)


def _signalled(member: Member, which: signal.Signals) -> list[int]:
    cores = member.engine_cores()
    for pid in cores:
        with suppress(ProcessLookupError):
            os.kill(pid, which)
    return cores


async def _runs_again(member: Member, lives: int) -> None:
    """Wait until its engine was started again in place, or until the worker itself has ended."""
    await until(lambda: member.state is not State.HURT or member.engine_lives() > lives, _RESTART_S)
