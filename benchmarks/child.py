"""One side of a measurement, as a process of its own; the last word it prints is its figure."""

import asyncio
import sys
from pathlib import Path

_TIMEOUT_S = 600


async def figure(module: str, *arguments: str, profile: Path | None = None) -> float:
    """Run `python -m benchmarks.MODULE` and give its figure.

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
    if process.returncode:
        last = complaints.decode(errors="replace").strip().splitlines()[-10:]
        raise RuntimeError(f"benchmarks.{module} failed:\n" + "\n".join(last))
    # py-spy writes a few words of its own behind the figure.
    return next(float(word) for word in reversed(told.split()) if _is_figure(word))


def _is_figure(word: bytes) -> bool:
    return word.replace(b".", b"", 1).isdigit()
