"""A child process that serves on a port: started, waited for, and stopped by its id.

It has a process group of its own, so Ctrl-C in a terminal reaches the worker alone and finds its
services still there to drain to. It dies with the thread that started it (prctl(2)): start it
from a thread that lives as long as it is needed.
"""

import asyncio
import contextlib
import ctypes
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Self

from afterguard.contracts.errors import StreamUnavailable

_PR_SET_PDEATHSIG = 1
_START_S = 20.0
_STOP_S = 5.0
_LOG = "log.txt"
# Looked up before any fork: between fork and exec nothing may take a lock.
_prctl = ctypes.CDLL(None).prctl


def free_port() -> int:
    """A port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def port_answers(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    # A server may reset a connection that says nothing; it has answered all the same.
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True


async def end(process: asyncio.subprocess.Process, timeout_s: float) -> int:
    """SIGTERM, then SIGKILL; the process is gone afterwards, also when the caller is cancelled.

    Args:
        process: Ours.
        timeout_s: From the one signal to the other, seconds.

    Returns:
        Its exit code.
    """
    if process.returncode is not None:
        return process.returncode
    process.terminate()
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return await process.wait()


def die_with_parent() -> None:
    """For `preexec_fn`: a killed test or demo must not leave its processes behind."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class EmbeddedProcess:
    """One server process with a folder of its own; an async context manager.

    Args:
        name: For messages.
        command: Gets the folder and gives the command line.
        answers: Whether the server is ready.
    """

    def __init__(
        self,
        name: str,
        command: Callable[[Path], Sequence[str]],
        answers: Callable[[], Awaitable[bool]],
    ) -> None:
        self._name, self._command, self._answers = name, command, answers
        self._folder: TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The id of the running process.

        Raises:
            StreamUnavailable: It does not run.
        """
        if self._process is None or self._process.returncode is not None:
            raise StreamUnavailable(f"{self._name} does not run")
        return self._process.pid

    async def start(self) -> None:
        """Start and wait until it answers; a second start continues with the same data.

        Raises:
            StreamUnavailable: It ended or did not answer in time; quotes its last words.
        """
        try:
            if not await self._started():
                raise StreamUnavailable(
                    f"the embedded {self._name} did not start:\n{await self._last_words()}"
                )
        except BaseException:
            await self.stop()
            raise

    async def _started(self) -> bool:
        self._folder = self._folder or TemporaryDirectory(prefix=f"afterguard-{self._name}-")
        folder = Path(self._folder.name)
        with await asyncio.to_thread((folder / _LOG).open, "ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                process_group=0,
                preexec_fn=die_with_parent,
            )
        deadline = monotonic() + _START_S
        while self._process.returncode is None and monotonic() < deadline:
            if await self._answers():
                return True
            await asyncio.sleep(0.05)
        return False

    async def _last_words(self) -> str:
        if self._folder is None:
            return ""
        log = Path(self._folder.name) / _LOG
        words = await asyncio.to_thread(log.read_text, errors="replace")
        return "\n".join(words.splitlines()[-8:])

    async def stop(self) -> None:
        """SIGTERM, SIGKILL after five seconds; its data stays until `discard`."""
        process, self._process = self._process, None
        if process is not None:
            await end(process, _STOP_S)

    async def kill(self) -> None:
        """SIGKILL, as a crash would."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()

    def freeze(self) -> None:
        """SIGSTOP: it neither answers nor goes away."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    async def discard(self) -> None:
        """Stop, and forget the data."""
        await self.stop()
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(folder.cleanup)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.discard()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.discard()
