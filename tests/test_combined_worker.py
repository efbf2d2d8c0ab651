"""A worker whose policies share a prompt: what leaves it is what leaves one that asks for each."""

from typing import Any

import orjson
from tests.flow.judges import ScriptedJudge
from tests.memory_worker import MemoryWorker, until
from tests.samples import answered

from afterguard.flow.ports import Judge, Judgement, JudgeRequest

EVENTS = 3
# All of the shipped ones that apply to a message of no tenant.
POLICIES = ("harassment", "hate", "illicit-goods", "self-harm", "spam-scams")


def finds_hate(request: JudgeRequest) -> Judgement:
    """An answer under every policy of the prompt, a violation under one of them."""
    first, *others = [
        answered(it.id == "hate", *([it.rules[0].id] if it.id == "hate" else []))
        for it in request.policies
    ]
    return first._replace(others=tuple(others))


async def told(prompt: str, judge: Judge | None) -> tuple[list[Any], list[Any]]:
    """Verdicts and interventions of a worker on the same events."""
    worker = MemoryWorker(
        judge, policies={"only": None}, judging={"prompt": prompt}, decide={"publish_none": True}
    )
    for number in range(EVENTS):
        worker.send(number)
    serving = worker.serve()
    await until(lambda: worker.committed == EVENTS)
    worker.stop.ask()
    await serving
    verdicts = [orjson.loads(it.value or b"") for it in worker.audit]
    topic = worker.log.records(worker.topics.interventions)
    interventions = [orjson.loads(it.value or b"") for it in topic]
    verdicts.sort(key=lambda it: (it["offset"], it["policy_id"]))
    return verdicts, interventions


async def test_every_policy_has_its_verdict_with_the_ids_it_has_when_asked_alone() -> None:
    alone, together = ScriptedJudge(finds_hate), ScriptedJudge(finds_hate)
    expected, decided = await told("per_policy", alone)
    verdicts, interventions = await told("combined", together)
    assert (len(alone.requests), len(together.requests)) == (EVENTS * len(POLICIES), EVENTS)
    assert [it["policy_id"] for it in verdicts] == list(POLICIES) * EVENTS
    same = ("verdict_id", "policy_version", "outcome", "rule_ids", "action", "shadow")
    assert [[it[name] for name in same] for it in verdicts] == [
        [it[name] for name in same] for it in expected
    ]
    same = ("intervention_id", "verdict_ids", "action", "rule_ids", "policy_ids", "reason_code")
    assert [[it[name] for name in same] for it in interventions] == [
        [it[name] for name in same] for it in decided
    ]


async def test_a_verdict_says_that_it_was_answered_with_others() -> None:
    verdicts, _ = await told("combined", ScriptedJudge(finds_hate))
    # The shipped policies ask for low and medium effort, and one prompt has the higher.
    assert {(*it["stages"],) for it in verdicts} == {("combined", "medium")}


async def test_the_null_engine_answers_under_all_of_them() -> None:
    verdicts, _ = await told("combined", None)
    assert [it["outcome"] for it in verdicts] == ["no_violation"] * len(POLICIES) * EVENTS
