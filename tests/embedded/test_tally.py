"""The tally of a run on a real broker is that of its records."""

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from tests.conftest import Broker
from tests.embedded.topics_content import Fate, Judged, Rejected, Skipped, TopicsContent

from afterguard.contracts.errors import TopicMissing
from afterguard.contracts.records import OutputRecord
from afterguard.embedded.tally import tally
from afterguard.engine.settings import EngineSettings
from afterguard.settings import Settings
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import TopicSettings

pytestmark = pytest.mark.broker

_RUN: list[Fate] = [
    Judged({"harassment": "violates", "hate": "clean"}),
    Judged({"harassment": "clean"}),
    Skipped(),
    Rejected(2),
    Judged({"spam": "failed"}),
]


def _settings(kafka: Broker, topics: TopicSettings) -> Settings:
    return Settings(kafka=kafka.settings(), topics=topics, engine=EngineSettings(kind="null"))


async def _write(settings: Settings, content: TopicsContent) -> None:
    topics = settings.topics
    producer = KafkaProducer(settings.kafka)
    await producer.start()
    try:
        for topic, records in (
            (topics.events, content.events),
            (topics.interventions, content.interventions),
            (topics.audit, content.audit),
            (topics.dead_letters, content.dead_letters),
        ):
            for record in records:
                partition = record.coordinates.partition
                sent = await producer.send(
                    OutputRecord(topic, record.key, record.value, partition=partition)
                )
                await sent
    finally:
        await producer.stop()


async def _commit(settings: Settings, offset: int) -> None:
    async with AIOKafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=settings.kafka.group_id,
        enable_auto_commit=False,
    ) as consumer:
        partition = TopicPartition(settings.topics.events, 0)
        consumer.assign([partition])
        await consumer.commit({partition: offset})


async def test_a_run_is_counted_from_its_topics(kafka: Broker, topics: TopicSettings) -> None:
    settings = _settings(kafka, topics)
    content = TopicsContent.after(_RUN, partitions=1, topic=topics.events)
    await _write(settings, content)
    told: dict[str, tuple[int, int]] = {}
    total = await tally(
        settings,
        lambda record: content.policies[record.coordinates],
        lambda topic, read, of: told.update({topic: (read, of)}),
    )
    assert (total.events, total.verdicts, total.interventions) == (5, 5, 2)
    assert (total.lost, total.left, total.duplicates, total.unreadable) == (0, 0, 0, 0)
    assert total.outcomes == {
        "violation": 1,
        "no_violation": 2,
        "skipped": 1,
        "failed": 1,
        "rejected": 1,
    }
    # Its events are from the past, as the log of today sees it.
    delay = total.time_to_intervention_ms["p50"]
    assert delay is not None
    assert delay > 0
    assert told == {
        topics.events: (5, 5),
        topics.interventions: (2, 2),
        topics.audit: (5, 5),
        topics.dead_letters: (3, 3),
    }


async def test_what_the_group_has_passed_without_a_trace_is_lost(
    kafka: Broker, topics: TopicSettings
) -> None:
    settings = _settings(kafka, topics)
    content = TopicsContent.after(_RUN, partitions=1, topic=topics.events)
    await _write(settings, content.without(*content.outputs()))
    before = await tally(settings)
    assert (before.lost, before.left) == (0, 5)
    await _commit(settings, 2)
    after = await tally(settings)
    assert (after.lost, after.left) == (2, 3)


async def test_a_topic_that_is_missing_is_named(kafka: Broker, topics: TopicSettings) -> None:
    absent = topics.model_copy(update={"audit": f"{topics.audit}.absent"})
    with pytest.raises(TopicMissing, match="absent"):
        await tally(_settings(kafka, absent))
