"""A broker that is not there is told in one line, with the setting and a named exit code."""

from pathlib import Path

import pytest
from tests.conftest import Broker, MakeTopics
from tests.faults.worker_process import WorkerProcess

from afterguard.contracts.exit_codes import ExitCode
from afterguard.embedded.process import free_port
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.kills, pytest.mark.slow]


async def test_it_waits_and_then_names_the_setting(tmp_path: Path) -> None:
    nowhere = Broker(f"127.0.0.1:{free_port()}")
    process = WorkerProcess(tmp_path, nowhere, TopicSettings(), kafka={"start_timeout_s": 1})
    await process.start()
    assert await process.ended() == 81
    text = process.log.read_text()
    assert f"no broker answered at kafka.bootstrap_servers={nowhere.bootstrap_servers}" in text
    assert "within kafka.start_timeout_s=1" in text
    assert "Traceback" not in text


@pytest.mark.broker
async def test_a_missing_topic_is_named_with_the_command_that_makes_it(
    kafka: Broker, make_topics: MakeTopics, tmp_path: Path
) -> None:
    topics = (await make_topics()).model_copy(update={"audit": "audit.nobody-made-this"})
    process = WorkerProcess(tmp_path, kafka, topics)
    await process.start()
    assert await process.ended() == ExitCode.STREAM_LOST
    text = process.log.read_text()
    assert "topics missing: audit.nobody-made-this; `afterguard topics create`" in text
    assert "Traceback" not in text
