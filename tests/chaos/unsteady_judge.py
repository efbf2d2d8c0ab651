"""A stand-in engine that injects faults: slow, out of order, busy now and then, dead on demand."""

import asyncio
import random
from pathlib import Path
from zlib import crc32

from afterguard.contracts.errors import EngineBusy, EngineDead, EngineFault
from afterguard.engine.null_engine import NullJudge
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest

FAST_S, SLOW_S = 0.02, 0.4
SLOWED = 8.0
_CLEAR = Judgement(JudgementStatus.ANSWERED, violation=False, answer='{"violation":0,"rules":[]}')


class UnsteadyJudge(NullJudge):
    """Judges by a hash of the content, so that the same content has the same verdict everywhere.

    How long it takes follows from the hash as well, so that events are finished in another order
    than they came in.

    Args:
        orders: A folder that is looked into at every request. A file `slow` there makes answers
            take `SLOWED` times as long; a file `dead` is taken away and the engine is dead from
            then on, until it is started again.
    """

    engine = "unsteady"
    model = "unsteady"

    def __init__(self, orders: Path) -> None:
        super().__init__()
        self._slow, self._die = orders / "slow", orders / "dead"
        self.steps = 0
        self.dead = False

    async def start(self) -> None:
        """Alive, also after a death."""
        self.dead = False

    async def judge(self, request: JudgeRequest) -> Judgement:
        """An answer, unless it is time for a fault."""
        digest = crc32(f"{request.policy.id} {request.content}".encode())
        share = digest % 1_000 / 1_000
        slowed = SLOWED if self._slow.exists() else 1.0
        await asyncio.sleep((FAST_S + share * (SLOW_S - FAST_S)) * slowed)
        self._raise_if_dead()
        self.steps += 1
        if (chance := random.random()) < 0.02:
            raise EngineBusy("the stand-in is full") if chance < 0.01 else EngineFault("unlucky")
        if digest % 7:
            return _CLEAR
        rule = request.policy.rules[0].id
        answer = f'{{"violation":1,"rules":["{rule}"]}}'
        return Judgement(JudgementStatus.ANSWERED, violation=True, rule_ids=(rule,), answer=answer)

    async def healthy(self) -> bool:
        """Not when it is dead."""
        return not self.dead

    async def kill(self) -> None:
        """See `engine.restarting.Restartable`: with this it is started again in place."""
        self.dead = True

    def _raise_if_dead(self) -> None:
        if self._die.exists():
            self._die.unlink(missing_ok=True)
            self.dead = True
        if self.dead:
            raise EngineDead("the stand-in was told to die")
