"""Policies change while a whole worker is at work: nothing is lost, nothing is judged by halves.

The broker and the stores are real; the engine answers what and when the test wants.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.conftest import Broker, MakeTopics
from tests.flow.judges import ScriptedJudge
from tests.kafka_worker import event, look, produce, serving, settled, worker_settings
from tests.policy.releases import change, text, trial, version
from tests.samples import answered
from tests.version_order import misjudged

from afterguard.app import App
from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.policy.store import PolicyStore
from afterguard.policy_room import policy_store
from afterguard.settings import Settings
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker, pytest.mark.redis, pytest.mark.slow]

WAIT_S = 30.0


class GatedJudge(ScriptedJudge):
    """Answers after a moment; while the gate is shut, not at all."""

    def __init__(self) -> None:
        super().__init__(answered(violation=False))
        self.gate = asyncio.Event()
        self.gate.set()

    async def judge(self, request: JudgeRequest) -> Judgement:
        judgement = await super().judge(request)
        await asyncio.sleep(0.005)
        await self.gate.wait()
        return judgement


@pytest.fixture(params=["redis", "folder"])
def stored(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> dict[str, Any]:
    """Sections of the settings: two policies, and a store of this kind."""
    documents = tmp_path / "policies"
    documents.mkdir()
    for name in ("queue", "tickets"):
        (documents / f"{name}.md").write_text(text(0, name), encoding="utf-8")
    if request.param == "redis":
        redis = {"url": redis_url, "key_prefix": uuid4().hex, "timeout_s": 5}
        return {"redis": redis, "policies": {"directory": documents}}
    (tmp_path / "store").mkdir()
    return {"policies": {"directory": documents, "store": tmp_path / "store"}}


@pytest.fixture
async def store(stored: dict[str, Any]) -> AsyncIterator[PolicyStore]:
    """The store, by other hands than the worker's."""
    made = policy_store(Settings(**stored))
    assert made is not None
    yield made
    await made.close()


async def until_in_force(app: App, policy_id: str, number: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while (found := app.policies.registry.by_id(policy_id)) is None or (
            found.version != version(number, policy_id)
        ):
            await asyncio.sleep(0.005)


async def write(kafka: Broker, topics: TopicSettings, ended: asyncio.Event) -> int:
    """Write events in small batches until told to end; how many."""
    number = 0
    while not ended.is_set():
        batch = [event(number + it, content=f"text {number + it}") for it in range(20)]
        await produce(kafka, topics.events, batch)
        number += len(batch)
    return number


async def test_activations_under_load_lose_nothing_and_mix_no_versions(
    kafka: Broker, make_topics: MakeTopics, stored: dict[str, Any], store: PolicyStore
) -> None:
    topics = await make_topics(2)
    acts = [("queue", 1), ("tickets", 1), ("tickets", 2), ("queue", 2), ("queue", 3)]
    states = [{"queue": version(0), "tickets": version(0, "tickets")}]
    async with serving(worker_settings(kafka, topics, **stored), GatedJudge()) as app:
        ended = asyncio.Event()
        writing = asyncio.create_task(write(kafka, topics, ended))
        for revision, (name, number) in enumerate(acts):
            await settled(app, 40 * (revision + 1))
            await store.change(change(number, policy_id=name), expected=revision)
            await until_in_force(app, name, number)
            states.append(states[-1] | {name: version(number, name)})
        ended.set()
        sent = await writing
        # One more, which is admitted after the last change for certain.
        await produce(kafka, topics.events, [event(sent, content="the last one")])
        await settled(app, sent + 1)
    found = await look(kafka, topics)
    assert found.lost == []
    assert found.letters == []
    assert len(found.audit) == 2 * (sent + 1)
    assert misjudged(found.audit, states) == []
    judged_under = {(it.policy_id, it.policy_version) for it in found.audit}
    assert {("queue", version(0)), ("queue", version(3))} <= judged_under


async def test_what_is_being_judged_ends_under_the_version_it_began_with(
    kafka: Broker, make_topics: MakeTopics, stored: dict[str, Any], store: PolicyStore
) -> None:
    topics, judge = await make_topics(), GatedJudge()
    judge.gate.clear()
    async with serving(worker_settings(kafka, topics, **stored), judge) as app:
        (before,) = await produce(kafka, topics.events, [event(1)])
        async with asyncio.timeout(WAIT_S):
            while len(judge.requests) < 2:
                await asyncio.sleep(0.005)
        await store.change(change(1), expected=0)
        await until_in_force(app, "queue", 1)
        (after,) = await produce(kafka, topics.events, [event(2, content="another text")])
        async with asyncio.timeout(WAIT_S):
            while len(judge.requests) < 4:
                await asyncio.sleep(0.005)
        judge.gate.set()
        await settled(app, 2)
    found = await look(kafka, topics)
    versions = [
        {it.policy_version for it in found.verdicts_on(where) if it.policy_id == "queue"}
        for where in (before, after)
    ]
    assert versions == [{version(0)}, {version(1)}]


async def test_a_version_on_trial_is_written_down_and_never_acted_upon(
    kafka: Broker, make_topics: MakeTopics, stored: dict[str, Any], store: PolicyStore
) -> None:
    topics = await make_topics()
    judge = ScriptedJudge(
        lambda request: answered("@" in request.policy.handle, *_cited(request), score=None)
    )
    await store.change(trial(1, share=1.0), expected=0)
    async with serving(worker_settings(kafka, topics, **stored), judge) as app:
        await produce(kafka, topics.events, [event(1)])
        await settled(app, 1)
    found = await look(kafka, topics)
    trials = [it for it in found.audit if it.shadow]
    assert [(it.policy_version, it.outcome) for it in trials] == [(version(1), "violation")]
    assert len(found.audit) == 3
    assert found.interventions == []


async def test_a_worker_that_starts_later_takes_the_stores_word_from_its_first_event_on(
    kafka: Broker, make_topics: MakeTopics, stored: dict[str, Any], store: PolicyStore
) -> None:
    topics = await make_topics()
    await store.change(change(1), expected=0)
    await produce(kafka, topics.events, [event(1)])
    async with serving(worker_settings(kafka, topics, **stored), GatedJudge()) as app:
        await settled(app, 1)
    found = await look(kafka, topics)
    assert misjudged(found.audit, [{"queue": version(1), "tickets": version(0, "tickets")}]) == []
    assert {it.degraded for it in found.audit} == {()}


def _cited(request: JudgeRequest) -> tuple[str, ...]:
    return ("Q2",) if "@" in request.policy.handle else ()
