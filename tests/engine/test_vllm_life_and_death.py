"""An engine that freezes, dies or is given up while it starts: told at once, and nothing is left.

Each runs in a process of its own: what happens here must not reach the engine of other tests.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import missing

from afterguard.contracts.errors import AfterguardError
from afterguard.embedded.model import prepare_model

pytestmark = [pytest.mark.engine, pytest.mark.slow, pytest.mark.kills]

_BEGINNING = """
import asyncio, json, multiprocessing, os, signal, sys
from contextlib import suppress
from pathlib import Path
from prometheus_client import CollectorRegistry
from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.words import Effort
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.engine.create import create_judge
from afterguard.flow.ports import JudgeRequest
from tests import samples

told = {}

def children():
    return [it for it in multiprocessing.active_children() if it.name.startswith("EngineCore")]

def make(progress=None, **changes):
    prepare_environment()
    settings = cpu_engine_settings(Path(sys.argv[1]), **changes)
    return create_judge(settings, registry=CollectorRegistry(), progress=progress)

async def attempt(judge, effort=Effort.LOW):
    try:
        return (await judge.judge(JudgeRequest("r", samples.policy(), "hello", effort))).status
    except AfterguardError as error:
        return type(error).__name__
"""
_FREEZES_AND_DIES = """
async def main():
    judge = make(probe_timeout_s=1)
    await judge.start()
    told["at first"] = await attempt(judge), await judge.healthy()
    (engine,) = children()
    os.kill(engine.pid, signal.SIGSTOP)
    told["frozen"] = await judge.healthy()
    os.kill(engine.pid, signal.SIGCONT)
    judge._settings.probe_timeout_s = 30
    told["thawed"] = await judge.healthy()
    in_flight = asyncio.ensure_future(attempt(judge, Effort.HIGH))
    await asyncio.sleep(0.05)
    os.kill(engine.pid, signal.SIGKILL)
    told["in flight"] = await in_flight
    told["after"] = await attempt(judge), await judge.healthy()
    await judge.stop()
    told["left"] = len(children())
"""
_GIVEN_UP = """
async def main():
    stages = []
    judge = make(stages.append)
    start = asyncio.ensure_future(judge.start())
    while not any(stage.startswith("starting") for stage in stages):
        await asyncio.sleep(0.05)
    while not children():
        await asyncio.sleep(0.05)
    start.cancel()
    with suppress(asyncio.CancelledError):
        await start
    await judge.stop()
    await judge.stop()
    told["left"] = len(children())
    judge = make(start_timeout_s=0.01)
    try:
        await judge.start()
    except AfterguardError as error:
        told["late"] = str(error)
    told["left late"] = len(children())
"""
_END = """
if __name__ == "__main__":
    asyncio.run(main())
    print(json.dumps(told))
"""


def _told(script: str, tmp_path: Path) -> dict[str, Any]:
    try:
        model = prepare_model()
    except AfterguardError as error:
        missing(f"the demo's model ({error})")
        raise
    file = tmp_path / "script.py"
    file.write_text(_BEGINNING + script + _END)
    done = subprocess.run(
        [sys.executable, file, model],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def test_an_engine_that_freezes_is_not_well_and_one_that_dies_says_so(tmp_path: Path) -> None:
    assert _told(_FREEZES_AND_DIES, tmp_path) == {
        "at first": ["answered", True],
        "frozen": False,
        "thawed": True,
        "in flight": "EngineDead",
        "after": ["EngineDead", False],
        "left": 0,
    }


def test_a_start_that_is_given_up_leaves_no_process_and_holds_up_nobody(tmp_path: Path) -> None:
    told = _told(_GIVEN_UP, tmp_path)
    assert "engine.start_timeout_s" in told.pop("late")
    assert told == {"left": 0, "left late": 0}
