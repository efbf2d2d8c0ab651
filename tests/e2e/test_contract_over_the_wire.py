"""What a consumer in another language would read: schemas, CloudEvents headers, trace context."""

import re
from datetime import datetime
from importlib.resources import files
from typing import Any
from uuid import UUID

import orjson
import pytest
from jsonschema import Draft202012Validator, FormatChecker
from tests.conftest import Broker, MakeTopics
from tests.kafka_worker import Found, event, look, produce, serving, settled, worker_settings

from afterguard.contracts.records import Headers, InputRecord
from afterguard.flow.ports import Judgement, JudgementStatus, JudgeRequest

pytestmark = [pytest.mark.broker, pytest.mark.slow]

TRACE: Headers = (
    ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ("tracestate", b"vendor=1"),
)
TYPES = {
    "audit-record": b"dev.afterguard.verdict.v1",
    "intervention": b"dev.afterguard.intervention.v1",
    "dead-letter": b"dev.afterguard.dead-letter.v1",
}


class WordJudge:
    """Finds a violation where the content holds the word, and nothing elsewhere."""

    engine, model = "null", "word-judge"

    async def start(self) -> None: ...

    async def judge(self, request: JudgeRequest) -> Judgement:
        found = "threat" in request.content
        rule = request.policy.rules[0].id
        return Judgement(
            JudgementStatus.ANSWERED,
            violation=found,
            rule_ids=(rule, "X9") if found else (),
            rationale="SECRET reasoning \x01 about it",
            answer="{}",
            score=0.9 if found else 0.1,
            prompt_tokens=20,
            cached_prompt_tokens=10,
            output_tokens=5,
        )

    async def healthy(self) -> bool:
        return True

    async def stop(self) -> None: ...


@pytest.fixture
async def found(kafka: Broker, make_topics: MakeTopics) -> Found:
    """Two violations with a target, a harmless event, a dead letter: read back by an onlooker."""
    topics = await make_topics()
    settings = worker_settings(kafka, topics)
    target = {"message": 7, "where": ["ünï", None]}
    values = [
        event(1, content="a threat", target=target, tenant="t", channel_id="c"),
        event(2, content="good morning"),
        event(3, content="another threat", occurred_at="2026-01-05T13:00:00.25+01:00"),
        b"no event",
    ]
    await produce(kafka, topics.events, values, headers=TRACE, partition=0)
    async with serving(settings, judge=WordJudge()) as app:
        await settled(app, len(values))
    return await look(kafka, topics)


def kinds(found: Found) -> dict[str, list[InputRecord]]:
    return {
        "audit-record": found.audit_records,
        "intervention": found.intervention_records,
        "dead-letter": found.letter_records,
    }


def validator(name: str) -> Draft202012Validator:
    text = files("afterguard.contracts").joinpath("schemas", f"{name}.json").read_bytes()
    return Draft202012Validator(orjson.loads(text), format_checker=FormatChecker())


async def test_every_output_is_as_its_schema_says(found: Found) -> None:
    assert {name: len(records) for name, records in kinds(found).items()} == {
        "audit-record": 3,
        "intervention": 2,
        "dead-letter": 1,
    }
    for name, records in kinds(found).items():
        for record in records:
            faults = list(validator(name).iter_errors(orjson.loads(record.value or b"")))
            assert not faults, f"{name}: {faults}"


async def test_a_verdict_without_what_only_auditors_read_is_still_a_verdict(found: Found) -> None:
    for record in found.audit_records:
        assert not list(validator("verdict").iter_errors(orjson.loads(record.value or b"")))


async def test_every_output_carries_the_attributes_of_cloudevents(found: Found) -> None:
    for name, records in kinds(found).items():
        for record in records:
            headers = dict(record.headers)
            assert headers["ce_specversion"] == b"1.0"
            assert headers["ce_type"] == TYPES[name]
            assert re.fullmatch(rb"/afterguard/[\w.-]+", headers["ce_source"] or b"")
            assert headers["content-type"] == b"application/json"
            assert UUID((headers["ce_id"] or b"").decode()).version == 5
            assert datetime.fromisoformat((headers["ce_time"] or b"").decode()).tzinfo
            assert headers["ce_subject"]
            names = [header for header, _ in record.headers]
            assert len(set(names)) == len(names)


async def test_the_trace_of_the_event_goes_on_in_every_output(found: Found) -> None:
    for records in kinds(found).values():
        for record in records:
            assert record.headers[-2:] == TRACE


async def test_an_intervention_says_what_to_do_and_not_why_in_words(found: Found) -> None:
    first = found.interventions[0]
    assert first.target == {"message": 7, "where": ["ünï", None]}
    assert (first.event_id, first.tenant, first.channel_id) == ("e-1", "t", "c")
    assert first.verdict_ids == (found.audit[0].verdict_id,)
    assert first.rule_ids == found.audit[0].rule_ids
    assert all(b"SECRET" not in (it.value or b"") for it in found.intervention_records)
    assert "SECRET" in (found.audit[0].rationale or "")


async def test_outputs_about_a_conversation_share_its_key(found: Found) -> None:
    keys = {it.key for it in (*found.audit_records, *found.intervention_records)}
    assert keys == {b"c-1"}


async def test_time_to_intervention_counts_from_the_event(found: Found) -> None:
    second = found.interventions[1]
    age: Any = second.decided_at - datetime.fromisoformat("2026-01-05T12:00:00.25+00:00")
    assert second.event_to_intervention_ms == pytest.approx(age.total_seconds() * 1000, abs=1)
