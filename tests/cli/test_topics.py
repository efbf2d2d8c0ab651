"""`afterguard topics`: made when missing, told and left alone when there."""

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest
from tests.cli.commands import Told, afterguard
from tests.conftest import Broker

from afterguard.stream.kafka.admin import topic_states
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker

Topics = Callable[..., Told]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> TopicSettings:
    """Topics that nobody has made."""
    mark = uuid4().hex[:8]
    topics = TopicSettings(**{it: f"{name}.{mark}" for it, name in TopicSettings()})
    for field, name in topics:
        monkeypatch.setenv(f"AFTERGUARD_TOPICS__{field.upper()}", name)
    return topics


@pytest.fixture
def topics(kafka: Broker, names: TopicSettings) -> Topics:
    def call(*arguments: str) -> Told:
        return afterguard("topics", *arguments, "--bootstrap", kafka.bootstrap_servers)

    return call


def test_missing_topics_are_told_with_the_command_that_makes_them(
    topics: Topics, names: TopicSettings
) -> None:
    told = topics("check")
    assert told.code == 1
    assert told.out.count("missing; `afterguard topics create` makes it") == 4
    assert names.dead_letters in told.out


def test_a_dry_run_makes_nothing(topics: Topics, names: TopicSettings, kafka: Broker) -> None:
    told = topics("create", "--dry-run")
    assert told.code == 0
    assert told.out.count("would be made") == 4
    assert asyncio.run(topic_states(kafka.settings(), [names.events])) == {}


def test_topics_are_made_once(topics: Topics, names: TopicSettings, kafka: Broker) -> None:
    assert topics("create", "--partitions", "3").out.count(" made") == 4
    assert topics("check").code == 0
    again = topics("create")
    assert again.code == 0
    assert again.out.count("existed, unchanged") == 4
    states = asyncio.run(topic_states(kafka.settings(), [name for _, name in names]))
    assert {it.partitions for it in states.values()} == {3}


def test_topics_of_another_size_are_told_and_left_alone(topics: Topics) -> None:
    topics("create", "--partitions", "2")
    told = topics("create", "--partitions", "5")
    assert told.code == 1
    assert told.out.count("has 2 partitions, asked for 5") == 4
    assert topics("check", "--partitions", "5").code == 1
    assert topics("check", "--partitions", "2").code == 0


def test_a_topic_grows_and_never_shrinks(topics: Topics, names: TopicSettings) -> None:
    topics("create", "--partitions", "2")
    assert "would grow from 2 to 5" in topics("grow", "--partitions", "5", "--dry-run").out
    assert "grew from 2 to 5" in topics("grow", "--partitions", "5").out
    assert "has 5 partitions already" in topics("grow", "--partitions", "5").out
    told = topics("grow", "--partitions", "4")
    assert told.code == 81
    assert f"{names.events}: has 5 partitions, and Kafka takes none away" in told.err


def test_a_topic_that_is_not_there_does_not_grow(topics: Topics, names: TopicSettings) -> None:
    told = topics("grow", "--partitions", "5")
    assert told.code == 81
    assert f"{names.events}: there is no such topic" in told.err


def test_a_broker_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFTERGUARD_KAFKA__START_TIMEOUT_S", "0.3")
    for command in ("create", "check"):
        told = afterguard("topics", command, "--bootstrap", "127.0.0.1:9")
        assert told.code == 81
        assert told.err.startswith("no broker answered at kafka.bootstrap_servers=127.0.0.1:9")
