"""A real `vllm serve` on the CPU, as a child process with a port."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import aiohttp

from afterguard.embedded.process import free_port

API_KEY = "sesame"
MODEL = "smollm2"
_START_S = 240.0
_STOP_S = 40.0


class VllmServer:
    """Started and waited for; stopped by the id of its process group.

    Args:
        model: A folder in Hugging Face's form.
        log: Where it writes.
        dtype: Of the weights.
    """

    def __init__(self, model: Path, log: Path, dtype: str) -> None:
        self._log, self._port = log, free_port()
        # The console script `vllm` does not run with the CPU build: it looks for the metadata of
        # a package called vllm.
        self._command = [
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", str(model), "--served-model-name", MODEL, "--api-key", API_KEY),
            *("--host", "127.0.0.1", "--port", str(self._port), "--dtype", dtype),
            *("--enforce-eager", "--block-size", "32", "--max-model-len", "4096"),
            *("--kv-cache-memory-bytes", str(256 * 2**20), "--max-num-seqs", "16"),
            *("--scheduling-policy", "priority", "--enable-prompt-tokens-details"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """For `engine.base_url`."""
        return f"http://127.0.0.1:{self._port}/v1"

    async def start(self) -> None:
        """Wait until it answers; quotes its last words when it does not."""
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: ASYNC220 (waits for no reply)
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={k: v for k, v in os.environ.items() if k != "VLLM_LOGGING_CONFIG_PATH"},
            )
        deadline = monotonic() + _START_S
        async with aiohttp.ClientSession() as client:
            while self._process.poll() is None and monotonic() < deadline:
                with suppress(aiohttp.ClientError):
                    async with client.get(f"{self.url[:-3]}/health") as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(0.25)
        await self.stop()
        last_words = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
        raise AssertionError(f"vllm serve did not start:\n{last_words}")

    async def stop(self) -> None:
        """SIGTERM, then SIGKILL to the whole group."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            await asyncio.to_thread(process.wait)
