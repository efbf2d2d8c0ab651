"""A worker that is killed leaves no engine behind: it would keep the memory of its GPU."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep

import pytest
from tests.engine.cpu_worker import cpu_worker_engine

from afterguard.engine.process_tree import descendants

pytestmark = pytest.mark.kills

_AS_VLLM_DOES = """
import json, logging.config, multiprocessing, os, subprocess, time
from afterguard.engine.vllm_logs import configure_vllm_logs

def engine():
    with open(os.environ["VLLM_LOGGING_CONFIG_PATH"]) as file:
        logging.config.dictConfig(json.load(file))
    subprocess.Popen(["sleep", "600"])
    print("up", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    configure_vllm_logs()
    child = multiprocessing.get_context("spawn").Process(target=engine, name="EngineCore")
    child.start()
    time.sleep(600)
"""
_REAL = """
import asyncio, json, sys
from prometheus_client import CollectorRegistry
from afterguard.engine.create import create_judge
from afterguard.engine.settings import EngineSettings

async def main():
    settings = EngineSettings.model_validate(json.loads(sys.argv[1]))
    judge = create_judge(settings, registry=CollectorRegistry())
    await judge.start()
    print("up", flush=True)
    await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def left_after_a_kill(script: str, folder: Path, *arguments: str) -> tuple[int, list[int]]:
    """How many processes a script has when it says that it is up, and which outlive its SIGKILL."""
    file = folder / "script.py"
    file.write_text(script)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(file), *arguments]
    pids: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as worker:
        try:
            assert worker.stdout is not None
            assert any(line.strip() == "up" for line in worker.stdout)
            pids = descendants(worker.pid)
            worker.kill()
            worker.wait()
            return len(pids), still_there(pids, 30.0)
        finally:
            worker.kill()
            for pid in filter(lives, pids):
                os.kill(pid, signal.SIGKILL)


def still_there(pids: list[int], limit_s: float, now: Callable[[], float] = monotonic) -> list[int]:
    until = now() + limit_s
    while (left := [it for it in pids if lives(it)]) and now() < until:
        sleep(0.1)
    return left


def test_a_process_of_the_engine_ends_with_the_worker_and_takes_its_own_along(
    tmp_path: Path,
) -> None:
    started, left = left_after_a_kill(_AS_VLLM_DOES, tmp_path)
    assert started >= 2
    assert left == []


@pytest.mark.engine
@pytest.mark.slow
def test_a_real_engine_ends_with_a_killed_worker(tmp_path: Path) -> None:
    section = json.dumps(cpu_worker_engine())
    started, left = left_after_a_kill(_REAL, tmp_path, section)
    assert started >= 1
    assert left == []
