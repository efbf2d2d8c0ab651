"""Bad input, from the broker through the whole worker and back: each has its outcome.

Behind each bad record stands a good one on the same partition; it must be judged.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from tests.conftest import Broker, MakeTopics
from tests.kafka_worker import (
    Found,
    committed_of,
    event,
    look,
    produce,
    produce_largest,
    serving,
    settled,
    worker_settings,
)

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.records import Headers
from afterguard.contracts.words import Degraded
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.slow]

MEGABYTES_10 = b'{"content": "' + b"x" * 10_000_000 + b'"}'
# The largest that a broker with Kafka's own limit takes.
MEGABYTE_1 = b'{"content": "' + b"x" * 1_040_000 + b'"}'


@dataclass(frozen=True)
class Bad:
    """One odd record, and what must become of it."""

    value: bytes | None
    rejected: str | None = None
    headers: Headers = ()
    degraded: tuple[Degraded, ...] = ()
    reason: str | None = None


def changed(field: str, raw: bytes) -> bytes:
    """A valid event with one field's JSON replaced."""
    return event().replace(b'"content":"good morning"', b'"content":"good morning",' + raw)


BAD: dict[str, Bad] = {
    "broken UTF-8": Bad(b'{"content": "\xff\xfe"}', "not_utf8"),
    "no JSON": Bad(b"hello", "not_json"),
    "half of a JSON": Bad(event()[:-5], "not_json"),
    "a JSON array": Bad(b"[1, 2]", "invalid_event"),
    "a JSON string": Bad(b'"hello"', "invalid_event"),
    "a JSON number": Bad(b"17", "invalid_event"),
    "JSON null": Bad(b"null", "invalid_event"),
    "no fields": Bad(b"{}", "invalid_event"),
    "a missing author": Bad(event().replace(b'"author"', b'"writer"'), "invalid_event"),
    "an empty value": Bad(b"", "not_json"),
    "white space alone": Bad(b" \n\t ", "not_json"),
    "a tombstone": Bad(None, "tombstone"),
    "a NUL byte": Bad(b"\x00", "not_json"),
    "a byte order mark": Bad(b"\xef\xbb\xbf" + event(), "not_json"),
    "two values in one": Bad(event() + event(), "not_json"),
    "a lone surrogate": Bad(event().replace(b"good", b"\\ud800"), "not_json"),
    "deep nesting": Bad(b"[" * 200_000 + b"]" * 200_000, "not_json"),
    "deep nesting in the target": Bad(
        changed("target", b'"target":' + b"[" * 5_000 + b"]" * 5_000), "not_json"
    ),
    "a number without end": Bad(changed("target", b'"target":' + b"9" * 10_000), "not_json"),
    "NaN as an id": Bad(event().replace(b'"e-1"', b"NaN"), "invalid_event"),
    "numbers as ids": Bad(event().replace(b'"e-1"', b"1"), "invalid_event"),
    "an id without end": Bad(event().replace(b"e-1", b"e" * 100_000), "invalid_event"),
    "an empty id": Bad(event().replace(b"e-1", b""), "invalid_event"),
    "a kind nobody knows": Bad(event(kind="video"), "invalid_event"),
    "a time without a zone": Bad(event(occurred_at="2026-01-05T12:00:00"), "invalid_event"),
    "a time that is none": Bad(event(occurred_at="yesterday"), "invalid_event"),
    "turns where a text belongs": Bad(
        event(content=[{"role": "user", "text": "hi"}]), "invalid_event"
    ),
    "a text where turns belong": Bad(event(kind="conversation"), "invalid_event"),
    "a huge header on something that is no event": Bad(
        b"hello", "not_json", headers=(("h", b"\xff" * 700_000),)
    ),
    "a huge header on an event": Bad(event(), headers=(("h", b"\xff" * 700_000),)),
    "a broken traceparent": Bad(event(), headers=(("traceparent", b"\xff\x00"),)),
    "a header without a value": Bad(event(), headers=(("traceparent", None), ("", b""))),
    "unknown fields": Bad(event(colour="red", nested={"a": [1]})),
    "a clock from the future": Bad(
        event(occurred_at="2999-01-01T00:00:00Z"), degraded=(Degraded.CLOCK_SKEW,)
    ),
    "the last year of the calendar": Bad(
        event(occurred_at="9999-12-31T23:59:59-12:00"), degraded=(Degraded.CLOCK_SKEW,)
    ),
    "the first year of the calendar": Bad(event(occurred_at="0001-01-01T00:00:00+12:00")),
    "a deadline long ago": Bad(event(deadline="1970-01-01T00:00:00Z"), reason="deadline_passed"),
    "a deadline for ever": Bad(event(deadline="9999-12-31T23:59:59Z")),
    "an empty text": Bad(event(content=""), reason="empty_content"),
    "a text of white space": Bad(event(content=" \u2003\n"), reason="empty_content"),
    "control characters": Bad(event(content="".join(map(chr, range(32))) + "\x7f\u2028")),
    "a text of 300,000 characters": Bad(event(content="\U0001f600" * 150_000 + "x" * 150_000)),
    "NaN in the target": Bad(changed("target", b'"target":{"a":[NaN,-Infinity,1e400]}')),
    "a policy nobody knows": Bad(
        event(policies=["no-such-policy"]),
        reason="unknown_policy",
        degraded=(Degraded.POLICY_UNKNOWN,),
    ),
    "the same field twice": Bad(changed("content", b'"content":"good evening"')),
}


@dataclass
class Run:
    """Where each odd record and the good one behind it stand, and what was read back."""

    found: Found
    bad: dict[str, Coordinates] = field(default_factory=dict)
    good: dict[str, Coordinates] = field(default_factory=dict)
    large: tuple[Coordinates, bytes] | None = None
    committed: dict[int, int] = field(default_factory=dict)
    unknown_fields: float = 0


async def _run(broker: Broker) -> Run:
    mark = uuid4().hex[:8]
    topics = TopicSettings(**{name: f"{name}.{mark}" for name in TopicSettings.model_fields})
    await create_topics(broker.settings(), plan_topics(topics, partitions=1, replication=1))
    settings = worker_settings(broker, topics)
    run = Run(Found([], [], [], []))
    for number, (name, odd) in enumerate(BAD.items()):
        run.bad[name] = (await produce(broker, topics.events, [odd.value], headers=odd.headers))[0]
        run.good[name] = (await produce(broker, topics.events, [event(1_000 + number)]))[0]
    run.large = await produce_largest(broker, topics.events, [MEGABYTES_10, MEGABYTE_1])
    run.good["large"] = (await produce(broker, topics.events, [event(2_000)]))[0]
    async with serving(settings) as app:
        await settled(app, 2 * len(BAD) + 2)
        run.unknown_fields = app.metrics.unknown_fields._value.get()
    run.found, run.committed = await look(broker, topics), await committed_of(broker, settings)
    return run


@pytest.fixture(scope="module")
def run(kafka: Broker) -> Iterator[Run]:
    """All of it at once: one worker, one partition."""
    with asyncio.Runner() as runner:
        yield runner.run(_run(kafka))


@pytest.mark.parametrize("name", BAD)
def test_each_has_its_outcome_and_the_event_behind_it_is_judged(run: Run, name: str) -> None:
    odd, where = BAD[name], run.bad[name]
    verdicts, letters = run.found.verdicts_on(where), run.found.letters_on(where)
    if odd.rejected is not None:
        assert not verdicts
        assert {(it.reason, it.outcome.value) for it in letters} == {(odd.rejected, "rejected")}
        assert run.found.original(where) == odd.value
    else:
        assert not letters
        assert len(verdicts) == 1
        assert verdicts[0].reason == odd.reason
        assert verdicts[0].degraded == odd.degraded
        if odd.reason is None:
            assert verdicts[0].outcome == "no_violation"
    behind = run.found.verdicts_on(run.good[name])
    assert [it.outcome for it in behind] == ["no_violation"]


def test_a_large_message_is_kept_in_parts_that_join_to_it(run: Run) -> None:
    assert run.large is not None
    where, value = run.large
    parts = run.found.letters_on(where)
    assert len(parts) > 1
    assert {it.reason for it in parts} == {"too_large"}
    assert run.found.original(where) == value
    assert len(run.found.verdicts_on(run.good["large"])) == 1


def test_nothing_is_lost_nothing_is_doubled_and_all_of_it_is_committed(run: Run) -> None:
    count = 2 * len(BAD) + 2
    assert len(run.found.events) == count
    assert run.found.lost == []
    ids = [it.verdict_id for it in run.found.audit]
    ids += [it.dead_letter_id for it in run.found.letters]
    assert len(set(ids)) == len(ids)
    assert run.committed == {0: count}


def test_unknown_fields_are_counted(run: Run) -> None:
    # Those of a record that is rejected are not counted.
    assert run.unknown_fields == 2


def test_a_dead_letter_names_fields_and_quotes_nothing(run: Run) -> None:
    letter = run.found.letters_on(run.bad["a missing author"])[0]
    assert letter.detail == "author: missing"
    assert all("hello" not in it.detail for it in run.found.letters)


@pytest.mark.redis
async def test_an_event_id_again_is_recognised_only_with_the_same_content(
    kafka: Broker, make_topics: MakeTopics, redis_url: str
) -> None:
    topics = await make_topics()
    settings = worker_settings(
        kafka, topics, redis={"url": redis_url, "key_prefix": f"t-{uuid4().hex[:8]}"}
    )
    async with serving(settings) as app:
        (first,) = await produce(kafka, topics.events, [event(1)])
        await settled(app, 1)
        again, other = await produce(
            kafka, topics.events, [event(1), event(1, content="something else")], partition=0
        )
        await settled(app, 3)
    found = await look(kafka, topics)
    outcomes: dict[str, Any] = {
        name: [(it.outcome.value, it.reason) for it in found.verdicts_on(where)]
        for name, where in (("first", first), ("again", again), ("other", other))
    }
    assert outcomes == {
        "first": [("no_violation", None)],
        "again": [("skipped", "duplicate_event")],
        "other": [("no_violation", None)],
    }
    assert found.lost == []


async def test_a_mapping_that_yields_nothing_rejects_and_goes_on(
    kafka: Broker, make_topics: MakeTopics
) -> None:
    topics = await make_topics()
    settings = worker_settings(
        kafka,
        topics,
        input={
            "map": {
                "event_id": "id",
                "occurred_at": "at",
                "kind": {"const": "message"},
                "conversation_id": "room",
                "author.id": "who",
                "content": "text",
            }
        },
    )
    good = b'{"id":"1","at":"2026-01-05T12:00:00Z","room":"r","who":"u","text":"hi"}'
    values = [good.replace(b'"text"', b'"txt"'), b"{}", b"[]", b"\xff", None, good]
    where = await produce(kafka, topics.events, values, partition=0)
    async with serving(settings) as app:
        await settled(app, len(values))
    found = await look(kafka, topics)
    reasons = [[it.reason for it in found.letters_on(it)] for it in where]
    assert reasons == [["unmapped"], ["unmapped"], ["unmapped"], ["not_utf8"], ["tombstone"], []]
    assert [found.original(it) for it in where[:5]] == values[:5]
    assert [it.event_id for it in found.verdicts_on(where[5])] == ["1"]
