"""One side of a measurement, as a process of its own; the last line it prints is its figures."""

import asyncio
import json
import sys
from pathlib import Path
from time import perf_counter, process_time
from typing import NamedTuple

_TIMEOUT_S = 600
_MARK = "figures: "


class Figures(NamedTuple):
    """What one side reached.

    Attributes:
        per_s: How many a second, by the clock on the wall.
        cpu_us: Processor time of the process for each, microseconds; other work on the machine
            disturbs it far less than the wall clock.
    """

    per_s: float
    cpu_us: float


class StopWatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), process_time()

    def figures(self, count: int) -> Figures:
        """For so many of them since then."""
        wall, cpu = perf_counter() - self._wall, process_time() - self._cpu
        return Figures(count / wall, cpu / count * 1e6)


def tell(figures: Figures) -> None:
    """Print them for the process that waits for them."""
    print(_MARK + json.dumps(figures), flush=True)


async def measured(module: str, *arguments: str, profile: Path | None = None) -> Figures:
    """Run `python -m benchmarks.MODULE` and give its figures.

    Args:
        module: Of this package.
        arguments: For it.
        profile: Where py-spy's raw stacks go; it needs the right to trace processes.

    Raises:
        RuntimeError: It failed; quotes its last words.
    """
    spy = ["py-spy", "record", "--format", "raw", "--rate", "500", "--output", str(profile), "--"]
    process = await asyncio.create_subprocess_exec(
        *([str(Path(sys.executable).with_name(spy[0])), *spy[1:]] if profile else []),
        sys.executable,
        "-m",
        f"benchmarks.{module}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            told, complaints = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    lines = [it for it in told.decode(errors="replace").splitlines() if it.startswith(_MARK)]
    if process.returncode or not lines:
        last = complaints.decode(errors="replace").strip().splitlines()[-10:]
        raise RuntimeError(f"benchmarks.{module} failed:\n" + "\n".join(last))
    return Figures(*json.loads(lines[-1].removeprefix(_MARK)))
