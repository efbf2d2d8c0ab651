"""A real worker as a process of its own, for as long as a measurement lasts."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

_READY_S = 120.0
_END_S = 60.0


class RunningWorker(NamedTuple):
    """A worker that takes events.

    Attributes:
        pid: Of its process.
        port: Of its metrics.
    """

    pid: int
    port: int


@asynccontextmanager
async def worker_process(
    config: Path, log: Path, *, drains: bool = True
) -> AsyncIterator[RunningWorker]:
    """A worker, ended with the block.

    Args:
        config: Its settings.
        log: Where its output goes.
        drains: Whether it may end what it has begun; else it is told twice to stop.

    Raises:
        RuntimeError: It ended before it took events; quotes its last words.
        TimeoutError: It takes too long to start.
    """
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "afterguard", "run", "--config", str(config)),
            stdout=output,
            stderr=output,
        )
    try:
        yield RunningWorker(process.pid, await _ready_port(process, log))
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
            if not drains:
                process.terminate()
        try:
            async with asyncio.timeout(_END_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready_port(worker: asyncio.subprocess.Process, log: Path) -> int:
    async with asyncio.timeout(_READY_S):
        while True:
            text = log.read_text(encoding="utf-8", errors="replace")
            for line in text.splitlines():
                if line.startswith("{") and (told := json.loads(line)).get("event") == "ready":
                    return int(told["http_port"])
            if worker.returncode is not None:
                raise RuntimeError("the worker ended:\n" + "\n".join(text.splitlines()[-10:]))
            await asyncio.sleep(0.1)
