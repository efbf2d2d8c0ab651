"""`afterguard dead-letters`: told, shown, put back once, and judged again under the same ids."""

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.cli.commands import Told, afterguard, ended, start
from tests.conftest import Broker
from tests.kafka_worker import event, produce, serving, settled, worker_settings
from tests.onlooker import read_topic
from tests.stream.letters import letter_records

from afterguard.contracts.coordinates import (
    Coordinates,
    dead_letter_id,
    intervention_id,
    verdict_id,
)
from afterguard.contracts.interventions import Intervention
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.verdicts import AuditRecord
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.slow]

LARGE = event(3, content="SECRET " * 30_000)
SECTIONS: dict[str, Any] = {
    "delivery": {"commit_interval_s": 0.05, "max_record_bytes": 60_000},
    "decide": {"publish_none": True},
}


@dataclass
class Place:
    """Four topics, and the commands and workers that know them."""

    broker: Broker
    topics: TopicSettings

    def letters(self, *arguments: str, given: bytes | None = None) -> Told:
        bootstrap = ("--bootstrap", self.broker.bootstrap_servers)
        return afterguard("dead-letters", *arguments, *bootstrap, given=given)

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        told = self.letters("list", "--json", *arguments)
        assert told.code == 0, told.err
        return [json.loads(line) for line in told.out.splitlines()]

    def work(self, count: int, **sections: Any) -> None:
        """A worker takes this many records, then drains."""

        async def run() -> None:
            settings = worker_settings(self.broker, self.topics, **(SECTIONS | sections))
            settings.kafka.group_id = f"g-{self.topics.events}"
            async with serving(settings) as app:
                await settled(app, count)

        asyncio.run(run())

    def produce(self, *values: bytes | None) -> list[Coordinates]:
        return asyncio.run(produce(self.broker, self.topics.events, values, partition=0))

    def read(self, topic: str) -> list[InputRecord]:
        return asyncio.run(read_topic(self.broker.bootstrap_servers, topic))

    def write(self, records: list[OutputRecord]) -> None:
        async def run() -> None:
            producer = KafkaProducer(self.broker.settings())
            await producer.start()
            try:
                for sent in [await producer.send(it) for it in records]:
                    await sent
            finally:
                await producer.stop()

        asyncio.run(run())


@pytest.fixture
def place(kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> Place:
    mark = uuid4().hex[:8]
    topics = TopicSettings(**{it: f"{name}.{mark}" for it, name in TopicSettings()})
    for field, name in topics:
        monkeypatch.setenv(f"AFTERGUARD_TOPICS__{field.upper()}", name)
    plans = plan_topics(topics, partitions=2, replication=1)
    asyncio.run(create_topics(kafka.settings(), plans))
    return Place(kafka, topics)


@pytest.fixture
def rejected(place: Place) -> list[Coordinates]:
    """No JSON, a tombstone, no event, and a good event that is too large; its letter has parts."""
    where = place.produce(b"SECRET no json", None, b"{}", LARGE)
    place.work(4, input={"max_event_bytes": 100_000})
    return where


def test_letters_are_listed_by_what_they_are_and_show_no_content(
    place: Place, rejected: list[Coordinates]
) -> None:
    told = place.letters("list")
    assert "4 letters" in told.err
    for where, reason in zip(
        rejected, ("not_json", "tombstone", "invalid_event", "too_large"), strict=True
    ):
        (line,) = [it for it in told.out.splitlines() if f"{where} " in it]
        assert f" {reason} " in line
    assert "whole, 4 parts" in told.out or "parts" in told.out
    assert "SECRET" not in told.out + told.err
    assert "SECRET" not in place.letters("show", str(rejected[0])).out
    assert [it["reason"] for it in place.listed("--reason", "tombstone")] == ["tombstone"]
    assert len(place.listed("--outcome", "failed")) == 0
    assert len(place.listed("--since", "1h")) == 4
    assert len(place.listed("--until", "1h")) == 0
    assert len(place.listed("--since", "2999-01-01T00:00:00Z")) == 0
    assert len(place.listed("--limit", "3")) == 3
    offset = str(rejected[2].offset)
    (one,) = place.listed("--topic", place.topics.events, "--partition", "0", "--offset", offset)
    assert one["dead_letter_id"] == str(dead_letter_id(rejected[2]))


def test_one_letter_is_shown_and_its_bytes_come_back(
    place: Place, rejected: list[Coordinates], tmp_path: Path
) -> None:
    told = place.letters("show", str(rejected[0]), "--content")
    assert "SECRET no json" in told.out
    out = tmp_path / "value"
    told = place.letters("show", str(dead_letter_id(rejected[3])), "--out", str(out))
    assert told.code == 0
    assert out.read_bytes() == LARGE
    whole = json.loads(place.letters("show", str(rejected[1]), "--json", "--content").out)
    assert (whole["tombstone"], whole["value"], whole["key"]) == (True, None, "ay0x")
    told = place.letters("show", f"{place.topics.events}/1/999")
    assert (told.code, "no dead letter" in told.err) == (1, True)


def test_what_is_put_back_is_judged_under_the_ids_of_its_origin(
    place: Place, rejected: list[Coordinates]
) -> None:
    planned = place.letters("replay", "--reason", "too_large", "--dry-run")
    assert planned.out.startswith("1 letter for too_large to")
    assert len(place.read(place.topics.events)) == 4
    assert place.letters("replay", "--reason", "too_large", given=b"n\n").code == 1
    assert len(place.read(place.topics.events)) == 4
    told = place.letters("replay", "--reason", "too_large", "--yes")
    assert (told.code, told.err) == (0, "")
    assert told.out.endswith("1 of 1 letter put back\n")
    again = place.letters("replay", "--reason", "too_large", "--yes")
    assert "nothing to put back" in again.out
    assert "replayed before" in again.err
    record = place.read(place.topics.events)[-1]
    assert record.value == LARGE
    place.work(1)
    (audit,) = [
        AuditRecord.model_validate_json(it.value or b"") for it in place.read(place.topics.audit)
    ]
    origin = rejected[3]
    assert audit.outcome == "no_violation"
    assert audit.verdict_id == verdict_id(origin, "harassment", audit.policy_version or "")
    assert (audit.origin, audit.replay) == (str(origin), 1)
    assert (audit.topic, audit.partition, audit.offset) == record.coordinates
    (told_to_do,) = place.read(place.topics.interventions)
    intervention = Intervention.model_validate_json(told_to_do.value or b"")
    assert intervention.intervention_id == intervention_id(origin, 1)
    assert intervention.revision == 1
    (listed,) = place.listed("--reason", "too_large")
    assert listed["replays"] == 1


def test_a_replay_that_fails_again_keeps_the_first_origin(
    place: Place, rejected: list[Coordinates]
) -> None:
    for _ in range(2):
        assert place.letters("replay", "--reason", "not_json", "--yes").code == 0
        place.work(1, input={"max_event_bytes": 100_000})
    listed = place.listed("--reason", "not_json")
    assert [(it["origin"], it["replay"], it["replays"]) for it in listed] == [
        (None, 0, 1),
        (str(rejected[0]), 1, 1),
        (str(rejected[0]), 2, 0),
    ]


def test_whatever_else_lies_on_the_topic_is_counted_and_left_alone(place: Place) -> None:
    topic, where = place.topics.dead_letters, Coordinates(place.topics.events, 0, 0)
    written = [it._replace(topic=topic) for it in letter_records(LARGE, place=where)]
    odd = [None, b"", b"\xff\x00", b"[]", b"{}", (written[0].value or b"")[:-1]]
    place.write([OutputRecord(topic, b"k", it, (("h", None),), 0) for it in odd])
    place.write(written[1:])
    told = place.letters("list")
    assert told.code == 0
    assert f"incomplete: {len(written) - 1} of {len(written)} parts" in told.out
    assert "1 letter; 1 incomplete; other records on the topic: 6" in told.err
    shown = place.letters("show", str(where), "--content")
    assert (shown.code, "there is no whole content" in shown.err) == (1, True)
    replay = place.letters("replay", "--yes")
    assert "nothing to put back" in replay.out
    assert f"left out: {where}: incomplete" in replay.err


def test_topics_that_are_gone_are_told_before_anything_is_written(place: Place) -> None:
    topic = place.topics.dead_letters
    records = letter_records(b"x", place=Coordinates("events.of.old", 0, 0))
    records += letter_records(b"x", place=Coordinates(place.topics.events, 7, 0))
    place.write([it._replace(topic=topic) for it in records])
    told = place.letters("replay", "--topic", "events.of.old", "--yes")
    assert told.code == 81
    assert f"--to {place.topics.events}" in told.err
    told = place.letters("replay", "--partition", "7", "--yes")
    assert (told.code, "no such partition" in told.err) == (81, True)
    assert place.letters("replay", "--yes", "--to", place.topics.events).code == 0
    assert len(place.read(place.topics.events)) == 2


@pytest.mark.kills
def test_killed_and_started_twice_at_once_each_is_put_back_once(place: Place) -> None:
    topic, count = place.topics.dead_letters, 800
    records = [
        it._replace(topic=topic)
        for number in range(count)
        for it in letter_records(
            b"value %d" % number, place=Coordinates(place.topics.events, number % 2, number)
        )
    ]
    place.write(records)

    def replay() -> Any:
        variables = {f"AFTERGUARD_TOPICS__{it.upper()}": name for it, name in place.topics}
        bootstrap = ("--bootstrap", place.broker.bootstrap_servers)
        return start("dead-letters", "replay", "--yes", *bootstrap, **variables)

    def some_are_back(more_than: int) -> None:
        asyncio.run(_until(lambda: len(place.read(place.topics.events)) > more_than))

    killed = replay()
    some_are_back(0)
    killed.kill()
    killed.communicate()
    before = len(place.read(place.topics.events))
    stopped = replay()
    some_are_back(before)
    stopped.send_signal(signal.SIGINT)
    told = ended(stopped)
    after = len(place.read(place.topics.events))
    assert (told.code, told.err) == (130 if after < count else 0, told.err)
    assert "Traceback" not in told.err
    both = [replay(), replay()]
    met = [ended(it) for it in both]
    assert {it.code for it in met} <= {0, 82}, met
    assert not any("Traceback" in it.err for it in met), met
    assert place.letters("replay", "--yes").code == 0
    assert Counter(it.value for it in place.read(place.topics.events)) == Counter(
        b"value %d" % number for number in range(count)
    )
    assert Counter(it["replays"] for it in place.listed()) == {1: count}


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not await asyncio.to_thread(true):
            await asyncio.sleep(0.01)
