"""`afterguard policies compare`: a real worker judges under two versions; what it wrote is read."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.cli.commands import Told, afterguard
from tests.conftest import Broker
from tests.flow.judges import ScriptedJudge
from tests.kafka_worker import event, produce, serving, settled, worker_settings
from tests.policy.documents import document
from tests.samples import answered

from afterguard.flow.ports import Judgement, JudgeRequest
from afterguard.policy.document import read_policy
from afterguard.stream.kafka.admin import create_topics, plan_topics
from afterguard.stream.settings import TopicSettings

pytestmark = [pytest.mark.broker]

EVENTS = 12
SOLD = 4  # of them are about places for sale
TEXT = "SECRET place three, ten each"


@dataclass
class Trial:
    """A worker's work under two versions, and the commands that look at it."""

    config: Path
    in_force: str
    on_trial: str

    def compare(self, *arguments: str) -> Told:
        return afterguard("policies", "compare", *arguments, "--config", self.config)

    def compared(self, *arguments: str) -> Any:
        told = self.compare(*arguments, "--json")
        assert told.code == 0, told.err
        return json.loads(told.out)


def script(asked: JudgeRequest) -> Judgement:
    """The version on trial sees that a place is sold."""
    sells = "SECRET" in asked.content and asked.policy.shadow
    return answered(sells, *(["Q2"] if sells else []))


@pytest.fixture(scope="module")
def trial(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    folder = tmp_path_factory.mktemp("trial")
    policies, draft, config = folder / "policies", folder / "queue.md", folder / "worker.yaml"
    policies.mkdir()
    (policies / "queue.md").write_text(document(), encoding="utf-8")
    draft.write_text(document().replace("sells a place", "sells or offers a place"), "utf-8")
    mark = uuid4().hex[:8]
    topics = TopicSettings(**{it: f"{name}.{mark}" for it, name in TopicSettings()})
    asyncio.run(create_topics(kafka.settings(), plan_topics(topics, partitions=2, replication=1)))
    sections: dict[str, Any] = {
        "policies": {"directory": str(policies), "store": str(folder / "store")},
        "judging": {"shadow_wait_s": 20},
        # Transactions leave offsets without a record, which whoever reads back must pass over.
        "delivery": {"guarantee": "exactly_once", "commit_interval_s": 0.05},
    }
    connected = {"bootstrap_servers": kafka.bootstrap_servers}
    written = {"kafka": connected, "topics": topics.model_dump(), **sections}
    config.write_text(json.dumps(written), encoding="utf-8")
    begun = afterguard("policies", "shadow", draft, "--share", "1", "--config", config)
    assert begun.code == 0, begun.err

    async def work() -> None:
        settings = worker_settings(kafka, topics, **sections)
        contents = [TEXT if number < SOLD else "good morning" for number in range(EVENTS)]
        values = [event(number, content=text) for number, text in enumerate(contents)]
        async with serving(settings, ScriptedJudge(script)) as app:
            await produce(kafka, topics.events, values)
            await settled(app, EVENTS)

    asyncio.run(work())
    versions = [read_policy(it).version for it in (policies / "queue.md", draft)]
    return Trial(config, *versions)


def test_the_versions_in_force_and_on_trial_pair_on_every_event(trial: Trial) -> None:
    found = trial.compared("queue")
    assert (found["a"]["version"], found["b"]["version"]) == (trial.in_force, trial.on_trial)
    assert found["pairs"] == EVENTS
    assert found["agreements"] == {
        "same": EVENTS - SOLD, "stricter": SOLD, "laxer": 0, "unclear": 0, "unjudged": 0,
    }  # fmt: skip
    assert found["agreement"]["share"] == pytest.approx((EVENTS - SOLD) / EVENTS)


def test_versions_by_name_may_be_turned_round(trial: Trial) -> None:
    names = f"queue@{trial.on_trial[:8]}", f"queue@{trial.in_force[:8]}"
    assert trial.compared(*names)["agreements"]["laxer"] == SOLD


def test_differing_events_are_named_without_what_people_wrote(trial: Trial) -> None:
    told = trial.compare("queue", "--limit", "2")
    assert told.code == 0, told.err
    assert "2 of 4 differing events" in told.out
    assert "B: violation (Q2), remove" in told.out
    assert "SECRET" not in told.out + told.err
    assert "because" not in told.out


def test_texts_and_reasoning_are_shown_to_those_who_ask(trial: Trial) -> None:
    found = trial.compared("queue", "--text", "--rationale")
    assert len(found["examples"]) == SOLD
    for it in found["examples"]:
        assert TEXT in it["text"]
        assert (it["a"]["rationale"], it["b"]["rationale"]) == ("because", "because")


def test_examples_are_chosen_by_what_the_second_version_makes_of_them(trial: Trial) -> None:
    assert trial.compared("queue", "--only", "laxer")["examples"] == []
    assert len(trial.compared("queue", "--only", "stricter")["examples"]) == SOLD


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("queue", "--since", "2099-01-01"), "no version of queue was in force"),
        (("hate",), "there are none of this policy"),
        (("queue@ffff",), "queue@ffff judged nothing"),
    ],
)
def test_it_is_said_plainly_when_there_is_nothing_to_compare(
    trial: Trial, arguments: tuple[str, ...], says: str
) -> None:
    told = trial.compare(*arguments)
    assert (told.code, told.out) == (1, "")
    assert says in told.err


def test_a_version_that_cannot_be_one_is_refused(trial: Trial) -> None:
    told = trial.compare("Queue@1.0")
    assert told.code == 2
    assert "neither ID nor ID@VERSION" in told.err
