"""Faults of workers: killed, replaced, joined by another, silent for a short or a long time."""

import asyncio
import signal

from tests.chaos.fault import Quota, Scene, until, until_ended
from tests.chaos.member import Kind, Member, State


def _one(scene: Scene) -> list[Member] | None:
    serving = scene.fleet.serving()
    return [scene.random.choice(serving)] if serving else None


class Killed:
    """SIGKILL, to one worker or to two at once; each is replaced at once."""

    name = "worker killed"
    weight = 4.0
    moves_work = True
    quota: Quota | None = "kills"

    def victims(self, scene: Scene) -> list[Member] | None:
        """One, sometimes two; seldom the one with the slow engine, which starts for long."""
        serving = scene.fleet.serving("unsteady") or scene.fleet.serving()
        if scene.random.random() < 0.1:
            serving = scene.fleet.serving()
        if not serving:
            return None
        most = 2 if len(serving) > 2 and scene.random.random() < 0.25 else 1
        return scene.random.sample(serving, most)

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Kill."""
        for member in victims:
            member.kill()
        for member in victims:
            await until_ended(member)


class Replaced:
    """SIGTERM; a new worker takes its place. Two rebalances: one leaves, one joins."""

    name = "worker leaves, one joins"
    weight = 2.0
    moves_work = True
    quota: Quota | None = "rebalances"

    def victims(self, scene: Scene) -> list[Member] | None:
        """One."""
        serving = scene.fleet.serving("unsteady") or scene.fleet.serving()
        return [scene.random.choice(serving)] if serving else None

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Ask it to end."""
        for member in victims:
            member.ask_to_end()
            await until_ended(member)


class Joined:
    """One more worker joins, and leaves after some seconds."""

    name = "another worker joins"
    weight = 1.5
    moves_work = True
    quota: Quota | None = "rebalances"

    def victims(self, scene: Scene) -> list[Member] | None:
        """Nobody; not with too many already."""
        return [] if len(list(scene.fleet)) < scene.plan.workers + 2 else None

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Join; go again."""
        kind: Kind = "vllm" if scene.plan.engines == "vllm" else "unsteady"
        member = scene.fleet.join(kind, stays=False)
        await until(lambda: member.state is State.SERVING, 60)
        await asyncio.sleep(scene.random.uniform(2, 6))
        member.ask_to_end()


class Zombie:
    """SIGSTOP for longer than its session, then SIGCONT: it believes to own what is another's."""

    name = "worker frozen past its session"
    weight = 1.5
    moves_work = True
    quota: Quota | None = "rebalances"

    def victims(self, scene: Scene) -> list[Member] | None:
        """One."""
        return _one(scene)

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Stop, wait, go on."""
        past_s = scene.plan.session_ms / 1000 + scene.random.uniform(1, 4)
        await _frozen(victims[0], past_s)


class Paused:
    """SIGSTOP for less than its session: nobody may notice."""

    name = "worker frozen for moments"
    weight = 0.7
    moves_work = True
    quota: Quota | None = None

    def victims(self, scene: Scene) -> list[Member] | None:
        """One."""
        return _one(scene)

    async def strike(self, scene: Scene, victims: list[Member]) -> None:
        """Stop, wait, go on."""
        await _frozen(victims[0], scene.plan.session_ms / 1000 * scene.random.uniform(0.2, 0.5))


async def _frozen(member: Member, seconds: float) -> None:
    member.send(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        member.send(signal.SIGCONT)
