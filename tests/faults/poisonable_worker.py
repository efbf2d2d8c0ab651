"""A fault injected: `afterguard run` with an engine that ends its whole process at a marker.

`python -m tests.faults.poisonable_worker run --config FILE`
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

from afterguard.app import build
from afterguard.engine.null_engine import NullJudge
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.lifecycle import Stop, serve
from afterguard.settings import load_settings
from afterguard.telemetry.logs import configure_logs

POISON: Final = "this ends the process"


class EndingJudge(NullJudge):
    """Answers like the null engine, and kills the process when it reads the poison."""

    async def judge(self, request: JudgeRequest) -> Judgement:
        """Takes its time, so that others are beside the poison."""
        answer = await super().judge(request)
        if POISON in request.content:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


async def _run(config: Path) -> int:
    settings = load_settings(config)
    configure_logs(settings.log)
    stop = Stop()
    stop.on_signals()
    return await serve(build(settings, judge=EndingJudge(0.05)), stop)


if __name__ == "__main__":
    sys.exit(asyncio.run(_run(Path(sys.argv[-1]))))
