"""A fault injected: an engine in memory that dies or freezes when it is given certain contents."""

import asyncio
from collections.abc import Callable, Container

from tests.samples import answered, policy

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import EngineDead, EngineUnavailable
from afterguard.contracts.words import Effort
from afterguard.flow.ports import Judgement, JudgeRequest

ANSWER = answered(False)
_POLICY = policy()


def request(content: str, number: int = 0) -> JudgeRequest:
    """To judge this content."""
    origin = Coordinates("chat.events", 0, number)
    return JudgeRequest(f"{origin}/p", _POLICY, content, Effort.LOW, origin=origin)


class _Life:
    def __init__(self) -> None:
        self.dead = self.frozen = False
        self.ended = asyncio.Event()


class KillableJudge:
    """Answers after some turns of the loop; see `flow.ports.Judge` and `engine.restarting`.

    Args:
        killers: Contents that end it.
        freezers: Contents after which it gives no sign of life.
        turns: How many turns of the loop the answer to a content takes.
        again: What a second start waits for; nothing when None.
    """

    engine = "killable"
    model = "killable-1"

    def __init__(
        self,
        killers: Container[str] = (),
        *,
        freezers: Container[str] = (),
        turns: Callable[[str], int] = lambda _: 1,
        again: asyncio.Event | None = None,
    ) -> None:
        self._killers, self._freezers, self._turns = killers, freezers, turns
        self._again = again
        self._life: _Life | None = None
        self.steps = self.deaths = self.starts = self.stops = 0
        self.most_beside_a_killer: list[int] = []
        self.refuses_to_start = False
        self._inside = 0

    async def start(self) -> None:
        """A new life."""
        await asyncio.sleep(0)
        if self.starts and self._again is not None:
            await self._again.wait()
        if self.refuses_to_start:
            raise EngineUnavailable("not today")
        self.starts += 1
        self._life = _Life()

    async def judge(self, asked: JudgeRequest) -> Judgement:
        """As the content wants it."""
        life = self._life
        if life is None:
            raise EngineUnavailable("not running")
        self._inside += 1
        try:
            for _ in range(self._turns(asked.content)):
                await self._step(life)
            if asked.content in self._killers:
                self.most_beside_a_killer.append(self._inside)
                self.die()
            life.frozen = life.frozen or asked.content in self._freezers
            await self._step(life)
        finally:
            self._inside -= 1
        return ANSWER

    async def _step(self, life: _Life) -> None:
        await asyncio.sleep(0)
        if life.frozen:
            await life.ended.wait()
        if life.dead:
            raise EngineDead("gone")
        self.steps += 1

    def die(self) -> None:
        """End this life, as SIGKILL does."""
        if self._life is not None and not self._life.dead:
            self._life.dead = True
            self.deaths += 1

    def freeze(self) -> None:
        """As SIGSTOP does."""
        assert self._life is not None
        self._life.frozen = True

    @property
    def dead(self) -> bool:
        """Whether this life has ended."""
        return self._life is not None and self._life.dead

    async def healthy(self) -> bool:
        """Whether it lives and moves."""
        return self._life is not None and not self._life.dead and not self._life.frozen

    async def kill(self) -> None:
        """End this life at once."""
        if self._life is not None:
            self._life.dead = True
            self._life.ended.set()

    async def stop(self) -> None:
        """May be called more than once."""
        await self.kill()
        self.stops += 1
        self._life = None
