"""`afterguard run`: how it ends when it cannot begin."""

import signal
from pathlib import Path
from uuid import uuid4

import pytest
from tests.cli.commands import ended, start
from tests.conftest import Broker

from afterguard.contracts.exit_codes import ExitCode

NULL = {"AFTERGUARD_ENGINE__KIND": "null", "AFTERGUARD_HTTP__ENABLED": "false"}


def test_wrong_settings_end_it_with_one_line_each(tmp_path: Path) -> None:
    config = tmp_path / "a.yaml"
    config.write_text("engine: {kinds: vllm}\nkafka: {linger_ms: -1}\n")
    told = ended(start("run", "--config", config))
    assert told.code == ExitCode.CONFIGURATION
    assert [line.split(":")[0] for line in told.err.splitlines()] == [
        "kafka.linger_ms",
        "engine.kinds",
    ]


def test_a_map_that_cannot_be_compiled_ends_it() -> None:
    told = ended(start("run", **NULL, AFTERGUARD_INPUT__MAP='{"content": "a["}'))
    assert told.code == ExitCode.CONFIGURATION
    assert told.err.startswith("input.map.content: not a JMESPath")


def test_without_a_broker_it_gives_up_in_time_and_names_the_setting() -> None:
    told = ended(
        start(
            "run",
            **NULL,
            AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:9",
            AFTERGUARD_KAFKA__START_TIMEOUT_S="0.3",
        )
    )
    assert told.code == ExitCode.STREAM_LOST
    assert told.err.splitlines()[-1].startswith("no broker answered at kafka.bootstrap_servers=")
    assert "Traceback" not in told.err


@pytest.mark.broker
def test_missing_topics_are_named_with_the_command_that_makes_them(kafka: Broker) -> None:
    events = f"t-{uuid4().hex[:8]}"
    told = ended(
        start(
            "run",
            **NULL,
            AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS=kafka.bootstrap_servers,
            AFTERGUARD_TOPICS__EVENTS=events,
        )
    )
    assert told.code == ExitCode.STREAM_LOST
    last = told.err.splitlines()[-1]
    assert last.startswith("topics missing: ")
    assert events in last
    assert "`afterguard topics create` makes them" in last


def test_a_signal_ends_it_while_it_waits_for_a_broker() -> None:
    process = start("run", **NULL, AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert process.stderr is not None
    # The first word that no broker answers: signals are heard since before it.
    while b"no broker answers yet" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert ended(process).code == ExitCode.DRAINED
