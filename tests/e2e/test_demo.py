"""The demo is the whole system: what it prints is what an independent reader found."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.cli.commands import Told, environment, start

_LIMIT_S = 280
_ASKED_FOR = {
    "events",
    "verdicts",
    "outcomes",
    "interventions",
    "lost",
    "duplicates",
    "verdicts_per_s",
    "time_to_intervention_ms",
    "prefix_cache_hit_ratio",
    "engine",
    "model",
}


def demo(*arguments: str | Path) -> Told:
    """Run a demo to its end."""
    process = start("demo", *arguments)
    try:
        out, err = process.communicate(timeout=_LIMIT_S)
    finally:
        process.kill()
        process.wait()
    return Told(process.returncode, out.decode(), err.decode())


def last_line(told: Told) -> dict[str, Any]:
    """The JSON object that was printed last."""
    found: dict[str, Any] = json.loads(told.out.splitlines()[-1])
    return found


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.redis
def test_without_a_model_the_flow_accounts_for_every_event() -> None:
    told = demo("--null-engine", "--events", "500", "--json")
    assert told.code == 0, told.err
    found = last_line(told)
    assert found.keys() >= _ASKED_FOR
    assert found["events"] == 500
    assert found["lost"] == found["duplicates"] == found["left"] == 0
    # More events than the file holds: the second round is known to the verdict cache or judged.
    assert found["outcomes"]["no_violation"] + found["outcomes"]["skipped"] == found["verdicts"]


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.redis
def test_ctrl_c_drains_and_counts_what_is_there() -> None:
    process = start("demo", "--null-engine", "--events", "5000", "--rate", "100", "--json")
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if b"the worker is ready" in line:
                break
        # The sender has begun: some of the events are on their way.
        _wait_a_moment(process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    finally:
        process.kill()
        process.wait()
    told = Told(process.returncode, out.decode(), err.decode())
    assert told.code == 0, told.err
    found = last_line(told)
    assert 0 < found["events"] < 5000
    assert found["lost"] == found["duplicates"] == 0


@pytest.mark.slow
@pytest.mark.engine
@pytest.mark.broker
@pytest.mark.redis
def test_with_vllm_on_the_cpu_every_verdict_is_the_models_own() -> None:
    told = demo("--events", "12", "--json")
    assert told.code == 0, told.err
    found = last_line(told)
    assert found["engine"] == "vllm"
    assert found["events"] == 12
    assert found["lost"] == found["duplicates"] == found["left"] == 0
    assert sum(found["outcomes"].values()) == found["verdicts"]
    assert found["judged"] > 12
    assert found["interventions"] > 0
    assert found["prefix_cache_hit_ratio"] > 0.5
    assert "SmolLM2" in told.err


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.redis
def test_a_file_of_ones_own_goes_through_it(tmp_path: Path) -> None:
    file = tmp_path / "messages.csv"
    file.write_text("body\n" + "".join(f"message {n}\n" for n in range(30)), encoding="utf-8")
    told = demo("--null-engine", "--file", file, "--text", "body", "-p", "harassment", "--json")
    assert told.code == 0, told.err
    found = last_line(told)
    assert found["events"] == found["verdicts"] == 30
    assert found["outcomes"] == {"no_violation": 30}


def test_options_that_make_no_sense_are_told_in_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "empty.jsonl"
    empty.touch()
    for arguments, expected in (
        (("--text", "body"), "--text: has no meaning without --file"),
        (("--file", "-"), "--file: the demo reads a file"),
        (("--file", str(empty)), "holds no rows"),
        (("--policy", "no-such"), "no such policy: no-such"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "afterguard", "demo", "--null-engine", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            env=environment({}),
            check=False,
        )
        assert done.returncode == 78, done.stderr
        assert expected in done.stderr
        assert "Traceback" not in done.stderr


def _wait_a_moment(process: "subprocess.Popen[bytes]") -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=3)
