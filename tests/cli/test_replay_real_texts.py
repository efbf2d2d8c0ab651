"""Real texts, where a machine has them: every one of them reaches the topic, once."""

import asyncio
import json
import os
from pathlib import Path
from uuid import uuid4

import pytest
from tests.cli.commands import afterguard
from tests.conftest import Broker
from tests.onlooker import read_topic

from afterguard.contracts.codec import decode_event
from afterguard.stream.kafka.admin import TopicPlan, create_topics

DATA = "AFTERGUARD_TEST_DATA"
SAMPLES = "openai-moderation-1680/samples.jsonl.gz"
TEXTS = 1_595


@pytest.fixture
def samples() -> Path:
    beside = Path(__file__).parents[3] / "shared" / "data"
    path = Path(os.environ.get(DATA, beside)) / SAMPLES
    if not path.is_file():
        pytest.skip(f"the texts are not here: neither {DATA} nor {beside} holds {SAMPLES}")
    return path


def test_a_dry_run_reads_all_of_them(samples: Path) -> None:
    told = afterguard("replay", samples, "--text", "text", "--id", "id", "--dry-run", "--json")
    last = json.loads(told.out.splitlines()[-1])
    assert (told.code, last["rows"], last["sent"], last["bad"]) == (0, TEXTS, TEXTS, {})


@pytest.mark.broker
def test_each_is_in_the_topic_once_as_an_event_that_the_worker_reads(
    samples: Path, kafka: Broker
) -> None:
    topic = f"t-{uuid4().hex[:8]}"
    plan = TopicPlan(topic, "events", partitions=3, replication=1)
    asyncio.run(create_topics(kafka.settings(), [plan]))
    told = afterguard(
        *("replay", samples, "--text", "text", "--id", "id"),
        *("--topic", topic, "--bootstrap", kafka.bootstrap_servers),
    )
    assert told.code == 0
    assert "1,595 of 1,595 rows sent and acknowledged" in told.out
    records = asyncio.run(read_topic(kafka.bootstrap_servers, topic))
    events = [decode_event(record, max_bytes=1_000_000) for record in records]
    assert len(events) == len({it.event_id for it in events}) == TEXTS
    assert not any(it.is_blank for it in events)
