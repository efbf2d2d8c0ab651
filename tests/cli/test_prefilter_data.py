"""What a classifier is fitted on: labels of files, known and unknown, and the model's verdicts."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.conftest import Broker
from tests.samples import event_fields, input_record

from afterguard.cli.prefilter_audit import Verdicts, from_audit
from afterguard.cli.prefilter_data import of_any, of_labels
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.records import OutputRecord
from afterguard.settings import Settings
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.settings import TopicSettings


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Yes, no, unknown of one, unknown of all."""
    labels: list[dict[str, Any]] = [
        {"a": 1, "b": 0},
        {"a": 0, "b": 0},
        {"a": 0},
        {"a": 0, "b": 1},
        {"a": None},
    ]
    path = tmp_path / "rows.jsonl"
    lines = (orjson.dumps({"text": f"\uff54ext {n}", "labels": it}) for n, it in enumerate(labels))
    path.write_bytes(b"\n".join(lines))
    return path


def test_any_counts_what_is_half_unknown_as_none_and_says_how_many(labelled: Path) -> None:
    found = of_any([labelled], only_known=False)
    assert found.violates == [True, False, False, True]
    assert (found.unknown, found.left_out) == (1, 1)


def test_only_known_leaves_what_is_half_unknown_out(labelled: Path) -> None:
    found = of_any([labelled], only_known=True)
    assert found.violates == [True, False, True]
    assert (found.unknown, found.left_out) == (0, 2)


def test_of_several_labels_one_yes_is_enough_and_all_must_say_no(labelled: Path) -> None:
    found = of_labels([labelled], ["a", "b"])
    assert found.violates == [True, False, True]
    assert found.left_out == 2


def test_texts_are_read_in_normal_form(labelled: Path) -> None:
    assert of_labels([labelled], ["a"]).texts[0] == "text 0"


def verdict(offset: int, outcome: str, **changes: Any) -> dict[str, Any]:
    return {
        "topic": "chat.events",
        "partition": 0,
        "offset": offset,
        "policy_id": "spam",
        "policy_version": "v1",
        "outcome": outcome,
        "engine": "vllm",
        "shadow": False,
    } | changes


def labels(*records: dict[str, Any], **wanted: Any) -> dict[int, bool]:
    verdicts = Verdicts(**wanted)
    for it in records:
        verdicts.take(input_record(orjson.dumps(it)))
    return {place.offset: violates for place, violates in verdicts.labels().items()}


def test_only_what_the_model_said_for_certain_is_a_label() -> None:
    assert labels(
        verdict(0, "violation"),
        verdict(1, "no_violation"),
        verdict(2, "skipped", engine="classifier"),
        verdict(3, "no_violation", engine="classifier"),
        verdict(4, "uncertain"),
        verdict(5, "skipped", policy_id=None),
    ) == {0: True, 1: False}


def test_the_last_verdict_holds_and_one_in_force_before_one_on_trial() -> None:
    assert labels(
        verdict(0, "violation"),
        verdict(0, "no_violation"),
        verdict(1, "violation", shadow=True),
        verdict(1, "no_violation"),
        verdict(2, "violation"),
        verdict(2, "no_violation", shadow=True),
    ) == {0: False, 1: False, 2: True}


def test_a_policy_or_a_version_may_be_picked() -> None:
    both = [verdict(0, "no_violation"), verdict(0, "violation", policy_id="hate")]
    assert labels(*both) == {0: True}
    assert labels(*both, policy_id="spam") == {0: False}
    assert labels(*both, version="v2") == {}


@pytest.mark.broker
async def test_verdicts_are_joined_with_the_events_that_they_are_on(
    kafka: Broker, topics: TopicSettings
) -> None:
    settings = Settings(kafka=kafka.settings(), topics=topics)
    producer = KafkaProducer(settings.kafka)
    await producer.start()
    try:
        for number in range(3):
            event = orjson.dumps(event_fields(event_id=f"e-{number}", content=f"text {number}"))
            await (await producer.send(OutputRecord(topics.events, None, event, partition=0)))
        for offset, outcome in ((0, "violation"), (2, "no_violation"), (99, "violation")):
            said = verdict(offset, outcome, topic=topics.events)
            record = OutputRecord(topics.audit, None, orjson.dumps(said), partition=0)
            await (await producer.send(record))
    finally:
        await producer.stop()
    found = await from_audit(settings, Verdicts("spam"), lambda _stage, _done, _of: None)
    assert (found.texts, found.violates) == (["text 0", "text 2"], [True, False])
    assert (found.label, found.left_out) == ("policy spam, as the model judged", 1)
    with pytest.raises(SettingsError, match="holds no verdict"):
        await from_audit(settings, Verdicts("hate"), lambda _stage, _done, _of: None)
