"""A child process is ours alone: it starts or says why, and never outlives us."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from afterguard.contracts.errors import StreamUnavailable
from afterguard.embedded.process import EmbeddedProcess, free_port, port_answers

_SERVES = """
import signal, socket, sys
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        server.accept()[0].close()
"""
_OUTLIVED = """
import asyncio, os, signal, sys
from afterguard.embedded.process import EmbeddedProcess

async def answers() -> bool:
    return True

async def main() -> None:
    process = EmbeddedProcess("child", lambda _: [sys.executable, "-c", "import time; time.sleep(600)"], answers)
    await process.start()
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""  # noqa: E501


class _Server(EmbeddedProcess):
    def __init__(self, *arguments: str) -> None:
        self.port = free_port()
        self.folder: Path | None = None

        def command(folder: Path) -> Sequence[str]:
            self.folder = folder
            return [sys.executable, "-c", _SERVES, str(self.port), *arguments]

        super().__init__("server", command, lambda: port_answers(self.port))


def _runs(pid: int) -> bool:
    """Whether a process is there and is more than a record for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


async def test_it_answers_inside_the_block_and_is_gone_after_it() -> None:
    async with _Server() as server:
        assert await port_answers(server.port)
        pid, folder = server.pid, server.folder
    assert not _runs(pid)
    assert folder is not None
    assert not folder.exists()
    assert not await port_answers(server.port)


async def test_a_process_that_ends_at_once_is_quoted() -> None:
    def fails(_: Path) -> Sequence[str]:
        return [sys.executable, "-c", "raise SystemExit('the port is taken')"]

    async def never() -> bool:
        return False

    process = EmbeddedProcess("server", fails, never)
    with pytest.raises(StreamUnavailable, match="the port is taken"):
        async with process:
            pytest.fail("it cannot have started")
    with pytest.raises(StreamUnavailable, match="does not run"):
        _ = process.pid


async def test_a_start_that_is_given_up_leaves_nothing_behind() -> None:
    server = _Server()

    async def never() -> bool:
        return False

    server._answers = never
    start = asyncio.ensure_future(server.__aenter__())
    while server._process is None:
        await asyncio.sleep(0.01)
    pid = server.pid
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert not _runs(pid)
    assert server.folder is not None
    assert not server.folder.exists()


async def test_ctrl_c_in_a_terminal_reaches_the_worker_alone() -> None:
    async with _Server() as server:
        assert os.getpgid(server.pid) != os.getpgid(0)


@pytest.mark.slow
async def test_a_process_that_is_deaf_to_sigterm_is_killed() -> None:
    async with _Server("deaf") as server:
        pid = server.pid
    assert not _runs(pid)


async def test_a_stop_that_is_cancelled_still_ends_the_process() -> None:
    async with _Server("deaf") as server:
        pid = server.pid
        stop = asyncio.ensure_future(server.stop())
        await asyncio.sleep(0)
        stop.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stop
        assert not _runs(pid)


@pytest.mark.kills
async def test_it_dies_with_a_parent_that_was_killed() -> None:
    parent = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _OUTLIVED], capture_output=True, timeout=60
    )
    assert parent.returncode == -signal.SIGKILL
    child = int(parent.stdout)
    async with asyncio.timeout(10):
        while _runs(child):
            await asyncio.sleep(0.02)
