"""A child process that serves on a port: started, waited for, and stopped by its id."""

import asyncio
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
    await writer.wait_closed()
    return True


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
        if self._process is None:
            raise StreamUnavailable(f"{self._name} does not run")
        return self._process.pid

    async def start(self) -> None:
        """Start and wait until it answers; a second start continues with the same data.

        Raises:
            StreamUnavailable: It ended or did not answer in time; quotes its last words.
        """
        self._folder = self._folder or TemporaryDirectory(prefix=f"afterguard-{self._name}-")
        folder = Path(self._folder.name)
        log = folder / "log.txt"
        with await asyncio.to_thread(log.open, "ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                preexec_fn=_die_with_parent,
            )
        deadline = monotonic() + _START_S
        while self._process.returncode is None and monotonic() < deadline:
            if await self._answers():
                return
            await asyncio.sleep(0.05)
        words = await asyncio.to_thread(log.read_text, errors="replace")
        await self.stop()
        last_words = "\n".join(words.splitlines()[-8:])
        raise StreamUnavailable(f"the embedded {self._name} did not start:\n{last_words}")

    async def stop(self) -> None:
        """SIGTERM, SIGKILL after five seconds; its data stays until `discard`."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

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
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.discard()


def _die_with_parent() -> None:
    # A killed test or demo must not leave servers behind (prctl(2), Linux).
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
