"""The worked examples of `input.map`: the commands of their README run as written."""

import asyncio
import json
import re
import shlex
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from tests.cli.commands import Told, afterguard, ended, start
from tests.conftest import Broker
from tests.onlooker import read_topic

from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import TopicSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/examples"
EXAMPLES = sorted(it.name for it in FOLDER.iterdir() if it.is_dir())
WAIT_S = 60.0
# What each README says of the record that becomes no event.
FAILS = {"matrix": {"content"}, "gateway": {"occurred_at", "author.id"}}


def commands() -> list[list[str]]:
    """The commands of the README, one list of words each."""
    blocks = re.findall(r"```sh\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def of(name: str, example: str = "") -> list[str]:
    """The one command of that name (for that example), behind the word `afterguard`."""
    calls = [words[words.index("afterguard") + 1 :] for words in commands()]
    (found,) = [it for it in calls if it[0] == name and example in " ".join(it)]
    return found


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def _told(example: str, *more: str) -> Told:
    return afterguard(*of("map", example), *more)


def test_both_examples_are_in_the_table_of_the_readme() -> None:
    text = (FOLDER / "README.md").read_text()
    assert [f"[`{name}/`]({name})" in text for name in EXAMPLES] == [True, True]


@pytest.mark.parametrize("example", EXAMPLES)
def test_its_sample_maps_as_the_readme_says(example: str) -> None:
    told = _told(example)
    assert told.code == 1
    assert "11 of 12 records become events" in told.out
    assert set(re.findall(r"^  (\S+) failed in 1$", told.out, re.MULTILINE)) == FAILS[example]
    assert "3 of 3" in _told(example, "--limit", "3").out
    assert len(_told(example, "--json").out.splitlines()) == 12


def test_the_matrix_example_reads_edits_bots_and_milliseconds() -> None:
    tried = [json.loads(line) for line in _told("matrix", "--json").out.splitlines()]
    events = [it["event"] for it in tried if it["event"]]
    assert events[0]["occurred_at"].startswith("2026-01-05T12:00:07.013")
    assert Counter(it["author"]["role"] for it in events) == {"user": 10, "assistant": 1}
    assert not any(it["content"].startswith("*") for it in events)
    assert events[0]["target"].keys() == {"room_id", "event_id"}


def test_the_gateway_example_joins_texts_and_tells_bots() -> None:
    tried = [json.loads(line) for line in _told("gateway", "--json").out.splitlines()]
    events = [it["event"] for it in tried if it["event"]]
    assert Counter(it["kind"] for it in events) == {"message": 10, "completion": 1}
    assert "look at this\nfive in a row on the old map" in [it["content"] for it in events]
    assert {it["lane"] for it in events} == {"live"}


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.parametrize("example", EXAMPLES)
async def test_topics_replay_and_run_of_the_readme_work_beside_raw_records(
    kafka: Broker, example: str
) -> None:
    mark = uuid4().hex[:8]
    topics = {field: f"{name}.{mark}" for field, name in TopicSettings()}
    variables = {f"AFTERGUARD_TOPICS__{field.upper()}": name for field, name in topics.items()} | {
        "AFTERGUARD_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "AFTERGUARD_KAFKA__GROUP_ID": mark,
        "AFTERGUARD_ENGINE__KIND": "null",
        "AFTERGUARD_POLICIES__ONLY": '["harassment"]',
        "AFTERGUARD_HTTP__ENABLED": "false",
    }

    def as_written(name: str) -> list[str]:
        words = [it.replace("matrix", example) for it in of(name)]
        return [it.replace("localhost:9092", kafka.bootstrap_servers) for it in words]

    made = await asyncio.to_thread(ended, start(*as_written("topics"), **variables))
    assert made.code == 0
    await _write_raw(kafka, topics["events"], FOLDER / example / "sample.jsonl")
    told = await asyncio.to_thread(ended, start(*as_written("replay"), **variables))
    assert told.code == 0
    assert "11 of 12 rows sent and acknowledged" in told.out

    worker = start(*as_written("run"), **variables)
    judged: list[str] = []
    try:
        async with asyncio.timeout(WAIT_S):
            while len(judged) < 22:
                assert worker.poll() is None
                audit = await read_topic(kafka.bootstrap_servers, topics["audit"])
                judged = [json.loads(it.value or b"")["event_id"] for it in audit]
    finally:
        worker.terminate()
        ended_worker = await asyncio.to_thread(ended, worker)
    assert ended_worker.code == ExitCode.DRAINED
    assert set(Counter(judged).values()) == {2}
    (letter,) = await read_topic(kafka.bootstrap_servers, topics["dead_letters"])
    reason = json.loads(letter.value or b"")
    assert reason["reason"] == "unmapped"
    assert reason["detail"].split(":")[0] in FAILS[example]


async def _write_raw(kafka: Broker, topic: str, sample: Path) -> None:
    """As a producer that knows nothing of us would."""
    producer = KafkaProducer(kafka.settings())
    await producer.start()
    for line in sample.read_bytes().splitlines():
        await (await producer.send(OutputRecord(topic, None, line)))
    await producer.stop()
