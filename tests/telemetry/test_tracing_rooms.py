"""The spans of a whole worker: one tree for each event, from its producer to the intervention."""

from pathlib import Path

import pytest
from tests.flow.judges import HeldJudge, ScriptedJudge, in_turn
from tests.memory_worker import until
from tests.policy.documents import document
from tests.samples import answered
from tests.telemetry.collector import Collected
from tests.telemetry.traced_worker import PARENT, TRACE, UNSAMPLED, traced

from afterguard.contracts.errors import EngineBusy, EngineFault, EngineLost, RequestRefused

GUARANTEES = pytest.mark.parametrize("guarantee", ["at_least_once", "exactly_once"])
VIOLATES = answered(True, "HA1")


def violation() -> ScriptedJudge:
    return ScriptedJudge(VIOLATES)


def lasts(span: Collected) -> tuple[int, int]:
    return span.span.start_time_unix_nano, span.span.end_time_unix_nano


@GUARANTEES
async def test_an_event_is_one_tree_below_the_span_of_its_producer(guarantee: str) -> None:
    delivery = {"guarantee": guarantee, "commit_interval_s": 0.01}
    async with traced(violation(), delivery=delivery) as worker:
        worker.put(1)
        spans = await worker.work(1)
    by_name = {it.name: it for it in spans}
    root = by_name["process chat.events"]
    assert {it.trace_id for it in spans} == {TRACE}
    assert root.parent_id == PARENT
    assert {name: it.parent_id for name, it in by_name.items() if it is not root} == {
        "queue": root.span_id,
        "judge harassment": root.span_id,
        "decide": root.span_id,
        "publish": root.span_id,
        "send moderation.interventions": by_name["publish"].span_id,
    }
    assert len(spans) == len(by_name)
    kinds = {it.name: it.span.SpanKind.Name(it.span.kind)[10:].lower() for it in spans}
    assert kinds == {
        "process chat.events": "consumer",
        "queue": "internal",
        "judge harassment": "client",
        "decide": "internal",
        "publish": "internal",
        "send moderation.interventions": "producer",
    }


@GUARANTEES
async def test_the_rooms_follow_one_another_and_none_outlasts_the_event(guarantee: str) -> None:
    delivery = {"guarantee": guarantee, "commit_interval_s": 0.01}
    async with traced(violation(), delivery=delivery) as worker:
        worker.put(1)
        spans = {it.name: lasts(it) for it in await worker.work(1)}
    began, ended = spans.pop("process chat.events")
    rooms = [spans[name] for name in ("queue", "judge harassment", "decide", "publish")]
    moments = [moment for room in rooms for moment in room]
    assert moments == sorted(moments)
    assert all(began <= one <= other <= ended for one, other in spans.values())


@GUARANTEES
async def test_the_platform_goes_on_below_the_span_of_the_intervention(guarantee: str) -> None:
    delivery = {"guarantee": guarantee, "commit_interval_s": 0.01}
    async with traced(violation(), delivery=delivery) as worker:
        worker.put(1, state=b"vendor=1")
        await worker.work(1)
        sent = worker.collector.one("send moderation.interventions")
        process = worker.collector.one("process chat.events")
        (intervention,) = worker.log.records(worker.topics.interventions)
    assert intervention.header("traceparent") == f"00-{TRACE}-{sent.span_id}-01".encode()
    assert intervention.header("tracestate") == b"vendor=1"
    assert worker.trace_of(worker.topics.audit) == [f"00-{TRACE}-{process.span_id}-01"]


async def test_the_engine_is_given_the_context_of_its_question() -> None:
    judge = violation()
    async with traced(judge) as worker:
        worker.put(1, state=b"vendor=1")
        await worker.work(1)
        asked = worker.collector.one("judge harassment")
    assert judge.requests[0].trace_headers == {
        "traceparent": f"00-{TRACE}-{asked.span_id}-01",
        "tracestate": "vendor=1",
    }


async def test_an_event_that_is_not_sampled_hands_on_its_producers_context_and_has_no_span() -> (
    None
):
    async with traced(violation(), tracing={"sample_share": 1.0}) as worker:
        worker.put(1, trace=UNSAMPLED)
        assert await worker.work(1) == []
    for topic in (worker.topics.interventions, worker.topics.audit):
        assert worker.trace_of(topic) == [UNSAMPLED.decode()]


async def test_an_event_without_a_context_begins_a_trace_as_far_as_the_share_goes() -> None:
    async with traced(violation(), tracing={"sample_share": 1.0}) as worker:
        worker.put(1, trace=None)
        await worker.work(1)
        root = worker.collector.one("process chat.events")
        sent = worker.collector.one("send moderation.interventions")
    assert root.parent_id == ""
    assert worker.trace_of(worker.topics.interventions) == [f"00-{root.trace_id}-{sent.span_id}-01"]


async def test_the_events_own_span_says_where_it_stood_and_what_became_of_it() -> None:
    async with traced(violation()) as worker:
        worker.put(1)
        await worker.work(1)
        root = worker.collector.one("process chat.events")
    assert root.attributes == {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "chat.events",
        "messaging.destination.partition.id": "0",
        "messaging.kafka.offset": 0,
        "messaging.consumer.group.name": "afterguard",
        "afterguard.lane": "standard",
        "afterguard.outcome": "violation",
        "afterguard.action": "warn",
    }
    assert root.fault is None


async def test_the_span_of_a_question_says_what_was_asked_and_what_it_cost() -> None:
    async with traced(violation()) as worker:
        worker.put(1)
        await worker.work(1)
        asked = worker.collector.one("judge harassment").attributes
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "scripted-1",
        "gen_ai.provider.name": "scripted",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 5,
        "afterguard.policy.id": "harassment",
        "afterguard.effort": "low",
        "afterguard.attempts": 1,
        "afterguard.cached": False,
        "afterguard.second_look": False,
        "afterguard.outcome": "violation",
        "afterguard.action": "warn",
    }
    assert {name: asked[name] for name in told} == told


@pytest.mark.parametrize(
    ("fault", "word"),
    [(EngineFault("x"), "fault"), (EngineBusy("x"), "busy"), (EngineLost("x"), "lost")],
)
async def test_a_retry_is_an_event_of_its_question(fault: Exception, word: str) -> None:
    judging = {"backoff_base_s": 0.001, "backoff_cap_s": 0.002}
    async with traced(ScriptedJudge(in_turn(fault, VIOLATES)), judging=judging) as worker:
        worker.put(1)
        await worker.work(1)
        asked = worker.collector.one("judge harassment")
    assert asked.events == [("retry", {"afterguard.fault": word})]
    assert asked.attributes["afterguard.attempts"] == 2
    assert asked.fault is None


async def test_an_event_that_fails_is_an_error_and_says_that_it_goes_to_the_dead_letters(
    expected_errors: list[str],
) -> None:
    del expected_errors
    async with traced(ScriptedJudge(RequestRefused("no"))) as worker:
        worker.put(1)
        await worker.work(1)
        root, asked = (
            worker.collector.one(it) for it in ("process chat.events", "judge harassment")
        )
    assert (root.fault, asked.fault) == ("request_refused", "request_refused")
    assert root.attributes["error.type"] == "request_refused"
    assert root.events == [("dead letter", {"afterguard.reason": "request_refused"})]


@GUARANTEES
async def test_a_record_that_is_no_event_is_one_span_with_its_reason(guarantee: str) -> None:
    delivery = {"guarantee": guarantee, "commit_interval_s": 0.01}
    async with traced(delivery=delivery) as worker:
        worker.raw(b"no event, and very secret")
        (root,) = await worker.work(1)
    assert (root.name, root.parent_id, root.fault) == ("process chat.events", PARENT, "not_json")
    assert root.attributes["afterguard.outcome"] == "rejected"
    assert root.events == [("dead letter", {"afterguard.reason": "not_json"})]


async def test_an_event_whose_deadline_has_passed_is_an_error_that_nobody_was_asked_about() -> None:
    async with traced(violation()) as worker:
        worker.put(1, deadline="2026-01-05T12:00:01+00:00")
        await worker.work(1)
        root, judged = (
            worker.collector.one(it) for it in ("process chat.events", "judge harassment")
        )
    assert (root.fault, judged.fault) == ("deadline_passed", "deadline_passed")


async def test_every_policy_has_a_span_of_its_own() -> None:
    async with traced(policies={"only": ["harassment", "hate"]}) as worker:
        worker.put(1)
        await worker.work(1)
        judged = [it for it in worker.collector.spans if it.name.startswith("judge ")]
    assert {it.name: it.attributes["afterguard.policy.id"] for it in judged} == {
        "judge harassment": "harassment",
        "judge hate": "hate",
    }


async def test_both_looks_have_a_span_and_the_last_one_has_the_verdict(tmp_path: Path) -> None:
    look = "second_look: {severity: low}"
    text = document().replace("id: queue", f"id: queue\n{look}")
    (tmp_path / "queue.md").write_text(text, encoding="utf-8")
    judge = ScriptedJudge(in_turn(answered(True, "Q1"), answered(False)))
    async with traced(judge, policies={"directory": str(tmp_path)}) as worker:
        worker.put(1)
        await worker.work(1)
        first, second = worker.collector.named("judge queue")
    told = [
        (it.attributes["afterguard.second_look"], it.attributes["afterguard.effort"])
        for it in (first, second)
    ]
    assert told == [(False, "low"), (True, "high")]
    assert "afterguard.outcome" not in first.attributes
    assert second.attributes["afterguard.outcome"] == "no_violation"


async def test_policies_that_share_a_prompt_share_a_span_with_a_verdict_each() -> None:
    async with traced(
        policies={"only": ["harassment", "hate"]}, judging={"prompt": "combined"}
    ) as worker:
        worker.put(1)
        await worker.work(1)
        asked = worker.collector.one("judge combined")
    assert asked.attributes["afterguard.policy.ids"] == ["harassment", "hate"]
    verdicts = {at["afterguard.policy.id"]: at for name, at in asked.events if name == "verdict"}
    assert {name: at["afterguard.outcome"] for name, at in verdicts.items()} == {
        "harassment": "no_violation",
        "hate": "no_violation",
    }


async def test_work_that_is_read_again_after_a_rebalance_has_one_tree_that_says_so() -> None:
    judge = HeldJudge(VIOLATES)
    async with traced(
        judge, delivery={"commit_interval_s": 0.01, "revoke_grace_s": 0.01}
    ) as worker:
        serving = worker.serve()
        worker.put(1)
        await until(lambda: judge.requests)
        await worker.app.consumer.rebalance()  # type: ignore[attr-defined]
        await until(lambda: worker.app.assignments.fates.admitted == 2)
        judge.let(judge.requests[0].request_id)
        await until(lambda: worker.committed == 1)
        worker.stop.ask()
        await serving
        root = worker.collector.one("process chat.events")
        worker.collector.one("judge harassment")
        sent = worker.collector.one("send moderation.interventions")
    assert ("read again", {}) in root.events
    assert worker.trace_of(worker.topics.interventions) == [f"00-{TRACE}-{sent.span_id}-01"]
