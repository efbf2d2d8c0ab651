"""`afterguard replay` as a process: signals, pipes, memory, and a broker that goes silent."""

import asyncio
import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from array import array
from pathlib import Path
from uuid import uuid4

import pytest
from tests.cli.commands import ended, environment, start
from tests.onlooker import read_topic

from afterguard.embedded.broker import EmbeddedBroker
from afterguard.stream.kafka.admin import TopicPlan, create_topics
from afterguard.stream.settings import KafkaSettings


def test_standard_input_is_read_as_json_lines() -> None:
    told = ended(start("replay", "-", "--dry-run"), b'{"content": "a"}\r\n{"content": "b"}')
    assert (told.code, told.err) == (0, "")
    assert "2 of 2 rows" in told.out


def test_standard_input_that_is_closed_is_told() -> None:
    command = f"exec {sys.executable} -m afterguard replay - --dry-run <&-"
    told = subprocess.run(
        ["/bin/sh", "-c", command], capture_output=True, text=True, env=environment({}), check=False
    )
    assert told.returncode == 78
    assert told.stderr.startswith("standard input: cannot be read")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_replay_that_waits_for_input_and_counts(number: signal.Signals) -> None:
    process = start("replay", "-", "--dry-run", "--json")
    _write(process, b'{"content": "a"}\n' * 3)
    process.send_signal(number)
    assert process.wait(30) == 130
    told = ended(process)
    assert told.err == ""
    assert "stopped by a signal" in told.out
    last = json.loads(told.out.splitlines()[-1])
    assert last["stopped"]
    assert last["sent"] == last["rows"] <= 3


def test_progress_is_shown_on_a_terminal_alone(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    file.write_text('{"content": "a"}\n' * 500)
    assert ended(start("replay", file, "--dry-run")).err == ""
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "afterguard", "replay", str(file), "--dry-run"],
        stdout=subprocess.PIPE,
        stderr=end,
        env=environment({"TERM": "xterm", "COLUMNS": "200"}),
    ) as process:
        out, _ = process.communicate(timeout=60)
    os.close(end)
    shown = os.read(terminal, 2**16).decode()
    os.close(terminal)
    assert b"500 of 500 rows" in out
    assert f"replay {file}" in shown
    assert "500 sent, 0 bad" in shown


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    sample = tmp_path / "m.jsonl"
    sample.write_text('{"content": "a"}\n' * 3_000)
    with start("map", "--try", sample) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "m.jsonl"
    with file.open("w") as lines:
        for number in range(30_000):
            lines.write(f'{{"id": "m{number}", "content": "{"lorem ipsum " * 160}"}}\n')
    few = _peak_mib(
        "replay", file, "--dry-run", "--id", "id", "--text", "content", "--limit", "500"
    )
    all_ = _peak_mib("replay", file, "--dry-run", "--id", "id", "--text", "content")
    assert file.stat().st_size > 55 * 2**20
    assert all_ - few < 25


@pytest.mark.slow
@pytest.mark.broker
async def test_a_broker_that_goes_silent_is_told_with_what_was_acknowledged() -> None:
    async with EmbeddedBroker() as broker:
        topic = f"t-{uuid4().hex[:8]}"
        variables = {
            "AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "AFTERGUARD_KAFKA__REQUEST_TIMEOUT_MS": "1500",
            "AFTERGUARD_TOPICS__EVENTS": topic,
        }
        plan = TopicPlan(topic, "events", partitions=1, replication=1)
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        await create_topics(kafka, [plan])
        process = start("replay", "-", "--json", **variables)
        _write(process, b'{"content": "a"}\n' * 10)
        while len(await read_topic(broker.bootstrap_servers, topic)) < 10:
            await asyncio.sleep(0.1)
        broker.freeze()
        told = await asyncio.to_thread(ended, process, b'{"content": "b"}\n' * 10)
        broker.thaw()
    assert told.code == 81
    assert "the broker has acknowledged nothing for 1.5 s; 10 records" in told.err.splitlines()[-1]
    last = json.loads(told.out.splitlines()[-1])
    assert (last["rows"], last["acknowledged"]) == (20, 10)
    assert "10 events sent but not acknowledged" in told.out


def _write(process: "subprocess.Popen[bytes]", lines: bytes) -> None:
    """Write to standard input and wait until the command has taken all of it."""
    pipe = process.stdin
    assert pipe is not None
    pipe.write(lines)
    pipe.flush()
    deadline = time.monotonic() + 30
    unread = array("i", [1])
    while unread[0] and time.monotonic() < deadline:
        time.sleep(0.05)
        fcntl.ioctl(pipe, termios.FIONREAD, unread)
    assert not unread[0]


def _peak_mib(*arguments: str | Path) -> float:
    process = start(*arguments)
    _, status, usage = os.wait4(process.pid, 0)
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024
