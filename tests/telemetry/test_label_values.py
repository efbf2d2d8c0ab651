"""Label values come from closed sets: none of them was ever in a message, and none is an id."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import EVENTS, MemoryWorker, until
from tests.samples import answered, event_fields

from afterguard import __version__
from afterguard.contracts.errors import RejectReason, RequestRefused
from afterguard.contracts.policies import Stage
from afterguard.contracts.records import OutputRecord
from afterguard.contracts.words import Action, Effort, Lane, Outcome, Reason
from afterguard.flow.agreement import Agreement
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.flow.second_look import Doubt, Result
from afterguard.telemetry.exposition import page
from afterguard.telemetry.metric_list import METRICS
from afterguard.telemetry.partition_metrics import UNREAD
from afterguard.telemetry.room_metric_list import ROOMS
from afterguard.telemetry.series import MOST

SAID = "zanzibar"
RESULTS = {"ok", "error", "hit", "miss", "away", "busy", "fault", "lost", "refused", "unforeseen",
           "believed", "exported", "failed", "dropped"}  # fmt: skip
REBUILT = {"stalled", "refused", "cut_off"}


def closed_sets(worker: MemoryWorker) -> dict[str, set[str]]:
    """What may stand in each label, whatever people write."""
    policies = worker.app.policies.registry.policies
    return {
        "policy": {"", *(it.id for it in policies)},
        "version": {__version__, *(it.version for it in policies)},
        "topic": {EVENTS.topic},
        "partition": {str(EVENTS.number)},
        "engine": {"scripted"},
        "model": {"scripted-1"},
        "lane": {*Lane, UNREAD},
        "outcome": {*Outcome},
        "action": {*Action},
        "effort": {*Effort},
        "agreement": {*Agreement},
        "room": {it.name for it in ROOMS},
        "kind": {"prompt", "cached", "output", "tokens", "engine_seconds"},
        "cause": {"died", "hung", "refused"},
        "stage": {*Stage, "first", "second"},
        "result": {*Result, *RESULTS},
        "reason": {*RejectReason, *Reason, *Doubt, Outcome.FAILED, *REBUILT},
        "le": {"+Inf", *(str(float(it)) for metric in METRICS for it in metric.buckets)},
    }


def hostile() -> Iterator[bytes]:
    """Events that say `SAID` wherever something may be said, and what is no event at all."""
    for field in ("event_id", "conversation_id", "tenant", "channel_id", "language", "content"):
        yield orjson.dumps(event_fields(**{field: SAID}))
    for field in ("lane", "kind", "occurred_at", "deadline", SAID):
        yield orjson.dumps(event_fields(**{field: SAID}))
    yield orjson.dumps(event_fields(policies=[SAID, "harassment"], target={SAID: SAID}))
    yield orjson.dumps(event_fields(author={"id": SAID, "role": SAID}))
    yield orjson.dumps(event_fields(author={"id": SAID, "role": "user"}, deadline="2020-01-01"))
    yield from (SAID.encode(), b"", b"\xff\xfe", b'{"content": "' + SAID.encode())


def _odd(asked: JudgeRequest) -> Judgement | Exception:
    told = answered(True, SAID)._replace(rationale=SAID, answer=SAID)
    troubles: list[Judgement | Exception] = [
        told,
        ValueError(SAID),
        RequestRefused(SAID),
        told._replace(rule_ids=("H2", SAID)),
    ]
    return troubles[int(asked.request_id.split("/")[2]) % len(troubles)]


@pytest.mark.usefixtures("expected_errors")
async def test_whatever_people_write_every_label_value_is_of_its_closed_set() -> None:
    worker = MemoryWorker(ScriptedJudge(_odd), judging={"attempts": 1})
    headers = (("traceparent", b"00-" + b"ab" * 16 + b"-" + b"cd" * 8 + b"-01"),)
    events = list(hostile())
    for number, value in enumerate(events):
        key = SAID.encode() if number % 2 else None
        odd = (*headers, (SAID, SAID.encode()), ("afterguard-origin", SAID.encode()))
        worker.log.append(OutputRecord(worker.topics.events, key, value, odd, partition=0))
    serving = worker.serve()
    await until(lambda: worker.committed == len(events))
    worker.app.gauges.look()
    shown = page([worker.app.metrics.registry], "application/openmetrics-text").text.decode()
    worker.stop.ask()
    await serving
    assert SAID not in shown
    allowed, series = closed_sets(worker), 0
    for sample in samples(shown):
        series += 1
        for label, value in sample.labels.items():
            assert value in allowed[label], (sample.name, label)
        if sample.exemplar is not None:
            assert sample.exemplar.labels == {"trace_id": "ab" * 16}
    assert 300 < series <= MOST.fixed + MOST.policy + MOST.partition


def samples(shown: str) -> Iterator[Any]:
    """All samples of a page."""
    for family in text_string_to_metric_families(shown):  # type: ignore[no-untyped-call]
        yield from family.samples
