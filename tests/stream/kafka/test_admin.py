"""Topics: planned from the settings, made only when somebody asks, never touched afterwards."""

from uuid import uuid4

import pytest
from tests.conftest import Broker, MakeTopics

from afterguard.cli.run import require_topics
from afterguard.contracts.errors import StreamError, StreamUnavailable, TopicMissing
from afterguard.contracts.topic_defaults import TOPIC_DEFAULTS
from afterguard.embedded.process import free_port
from afterguard.engine.settings import EngineSettings
from afterguard.settings import Settings
from afterguard.stream.kafka.admin import (
    TopicPlan,
    create_topics,
    missing_topics,
    plan_topics,
    topic_states,
)
from afterguard.stream.settings import KafkaSettings, TopicSettings

broker = pytest.mark.broker


def own_names() -> TopicSettings:
    mark = uuid4().hex[:8]
    return TopicSettings(**{field: f"{field}.{mark}" for field in TopicSettings.model_fields})


def test_the_plan_has_all_topics_with_their_retention_and_below_kafkas_own_limit() -> None:
    plans = plan_topics(TopicSettings(), partitions=6, replication=2)
    assert [it.name for it in plans] == list(TopicSettings().model_dump().values())
    assert {it.partitions for it in plans} == {6}
    for plan in plans:
        assert plan.config["retention.ms"] == str(TOPIC_DEFAULTS[plan.purpose].retention_ms)
        assert plan.config["cleanup.policy"] == "delete"
        assert int(plan.config["max.message.bytes"]) <= 1_048_588


@broker
async def test_what_is_missing_is_made_and_the_rest_left_alone(kafka: Broker) -> None:
    topics, settings = own_names(), kafka.settings()
    plans = plan_topics(topics, partitions=3, replication=1)
    await create_topics(settings, plans[:1])

    made = await create_topics(settings, plan_topics(topics, partitions=5, replication=1))

    assert made.made == set(topics.model_dump().values()) - {topics.events}
    states = await topic_states(settings, topics.model_dump().values())
    assert {name: state.partitions for name, state in states.items()} == {
        name: 3 if name == topics.events else 5 for name in topics.model_dump().values()
    }


@broker
async def test_a_dry_run_makes_nothing(kafka: Broker) -> None:
    topics, settings = own_names(), kafka.settings()
    names = list(topics.model_dump().values())
    answer = await create_topics(
        settings, plan_topics(topics, partitions=1, replication=1), dry_run=True
    )
    assert not answer.made
    assert await missing_topics(settings, names) == set(names)


@broker
async def test_looking_for_a_topic_does_not_make_it(kafka: Broker) -> None:
    topics, settings = own_names(), kafka.settings()
    names = list(topics.model_dump().values())
    for _ in range(2):
        assert await missing_topics(settings, names) == set(names)


@broker
async def test_copies_follow_the_cluster_when_nobody_says(kafka: Broker) -> None:
    plan = TopicPlan(f"copies.{uuid4().hex[:8]}", "events", 1, replication=None)
    answer = await create_topics(kafka.settings(), [plan])
    copies = answer.plans[0].replication
    assert copies is not None
    assert 1 <= copies <= 3
    assert answer.plans[0].config.get("min.insync.replicas") == ("2" if copies == 3 else None)


@broker
async def test_a_topic_that_the_broker_refuses_is_named_with_the_reason(kafka: Broker) -> None:
    plan = TopicPlan("not/a/name", "events", 1, replication=1)
    with pytest.raises(StreamError, match="not/a/name"):
        await create_topics(kafka.settings(), [plan])


@broker
async def test_the_worker_refuses_to_start_without_its_topics_and_makes_none(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    topics = await make_topics()
    absent = topics.model_copy(update={"audit": f"audit.{uuid4().hex[:8]}"})
    settings = Settings(kafka=kafka.settings(), topics=absent, engine=EngineSettings(kind="null"))
    with pytest.raises(TopicMissing, match=rf"{absent.audit}; `afterguard topics create`"):
        await require_topics(settings)
    assert await missing_topics(kafka.settings(), [absent.audit]) == {absent.audit}


async def test_a_broker_that_is_not_there_is_told_with_its_setting(
    expected_errors: list[str],
) -> None:
    settings = KafkaSettings(
        bootstrap_servers=f"127.0.0.1:{free_port()}", start_timeout_s=0.2, request_timeout_ms=1_000
    )
    with pytest.raises(StreamUnavailable, match=r"kafka\.bootstrap_servers"):
        await missing_topics(settings, ["t"])
