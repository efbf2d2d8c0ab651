"""The composition root builds every room, connects them and starts nothing."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from tests.flow.judges import HeldJudge, ScriptedJudge
from tests.memory_worker import MemoryWorker
from tests.samples import answered, event_fields, input_record

from afterguard.app import App, build, decoder
from afterguard.contracts.errors import PolicyError, RejectedInput, SettingsError
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.engine.null_engine import NullJudge
from afterguard.settings import Settings
from afterguard.stream.kafka.consumer import KafkaConsumer
from afterguard.stream.kafka.producer import KafkaProducer

MAP = {
    name: f"payload.{name}"
    for name in ("event_id", "occurred_at", "kind", "conversation_id", "author.id", "content")
}


def settings(**sections: Any) -> Settings:
    return Settings(**sections)


def built(**sections: Any) -> App:
    return build(settings(**sections), judge=NullJudge())


def test_building_needs_no_event_loop_and_opens_nothing() -> None:
    app = built(kafka={"bootstrap_servers": "nowhere.invalid:9"})
    assert isinstance(app.consumer, KafkaConsumer)
    assert isinstance(app.producer, KafkaProducer)
    assert (app.started, app.draining) == (False, False)


def test_the_engine_is_the_one_that_the_settings_name() -> None:
    assert isinstance(build(settings(engine={"kind": "null"})).judge, NullJudge)


def test_without_an_address_of_redis_nothing_is_kept_there() -> None:
    assert built().redis is None
    assert built(redis={"url": "redis://localhost:1"}).redis is not None


def test_the_small_server_can_be_left_out() -> None:
    assert built().http is not None
    assert built(http={"enabled": False}).http is None


def test_a_folder_without_policies_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"policies\.directory"):
        built(policies={"directory": tmp_path})


def test_a_wrong_policy_is_told(tmp_path: Path) -> None:
    (tmp_path / "odd.md").write_text("---\nid: odd\n---\n")
    with pytest.raises(PolicyError):
        built(policies={"directory": tmp_path})


def test_a_map_that_does_not_compile_is_told() -> None:
    with pytest.raises(SettingsError, match=r"input\.map"):
        built(input={"map": {"content": "(("}})


def test_what_runs_here_is_shown() -> None:
    registry = built().metrics.registry
    labels = {"engine": "null", "model": "null", "version": "0.1.0"}
    assert registry.get_sample_value("afterguard_build_info", labels) == 1


def test_records_of_our_own_shape_are_read_without_a_map() -> None:
    event = decoder(settings())(input_record(orjson.dumps(event_fields())))
    assert event.event_id == "e-1"


def test_records_of_another_shape_are_read_by_the_map() -> None:
    mapped = settings(input={"map": MAP})
    event = decoder(mapped)(input_record(orjson.dumps({"payload": event_fields()})))
    assert event.event_id == "e-1"


@pytest.mark.parametrize("shape", [{}, MAP])
def test_the_size_limit_holds_with_and_without_a_map(shape: dict[str, Any]) -> None:
    limited = settings(input={"max_event_bytes": 1_024, "map": shape})
    with pytest.raises(RejectedInput, match="too_large"):
        decoder(limited)(input_record(b"x" * 1_025))


class Probed(MemoryWorker):
    """A worker with its small server on a free port."""

    def __init__(self, judge: ScriptedJudge) -> None:
        super().__init__(judge, http={"enabled": True, "port": 0})

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """What `/readyz` says."""
        assert self.app.http is not None
        url = f"http://127.0.0.1:{self.app.http.port}/readyz"
        async with aiohttp.ClientSession() as http, http.get(url) as answer:
            return answer.status, await answer.json()


async def test_it_is_ready_when_it_takes_events_and_not_while_it_drains() -> None:
    judge = HeldJudge(answered(False))
    worker, begun = Probed(judge), asyncio.Event()
    worker.send(0)
    serving = worker.serve(ready=begun.set)
    await begun.wait()
    assert (await worker.ready())[0] == 200
    while not judge.requests:
        await asyncio.sleep(0.001)

    worker.stop.ask()
    while not worker.app.draining:
        await asyncio.sleep(0.001)
    status, found = await worker.ready()
    assert (status, found["serving"]["ok"], found["intake"]["ok"]) == (503, False, True)

    judge.let(judge.requests[0].request_id)
    assert await serving is ExitCode.DRAINED


async def test_it_is_live_and_not_ready_while_the_engine_starts() -> None:
    class SlowJudge(ScriptedJudge):
        async def start(self) -> None:
            starting.set()
            await go_on.wait()

    starting, go_on, begun = asyncio.Event(), asyncio.Event(), asyncio.Event()
    worker = Probed(SlowJudge(answered(False)))
    serving = worker.serve(ready=begun.set)
    await starting.wait()
    status, found = await worker.ready()
    assert (status, found["started"]["ok"], found["intake"]["ok"]) == (503, False, True)
    go_on.set()
    await begun.wait()
    assert (await worker.ready())[0] == 200
    worker.stop.ask()
    await serving


async def test_it_is_not_ready_while_the_engine_does_not_answer() -> None:
    class SilentJudge(ScriptedJudge):
        async def healthy(self) -> bool:
            return False

    worker, begun = Probed(SilentJudge(answered(False))), asyncio.Event()
    worker.app.engine_watch._interval_s = 0.01
    worker.app.engine_watch._limit_s = 10_000
    serving = worker.serve(ready=begun.set)
    await begun.wait()
    while worker.app.engine_watch.answers:
        await asyncio.sleep(0.005)
    status, found = await worker.ready()
    assert (status, found["engine"]["ok"]) == (503, False)
    worker.stop.ask()
    await serving


async def test_every_record_has_its_fate_whatever_it_is() -> None:
    worker = MemoryWorker()
    worker.send(0)
    worker.log.append(OutputRecord(worker.topics.events, None, None, partition=0))
    worker.log.append(OutputRecord(worker.topics.events, None, b"\xff", partition=0))
    worker.send(3, content=" ")
    worker.send(4)
    serving = worker.serve()
    while worker.committed < 5:
        await asyncio.sleep(0.005)
    worker.stop.ask()
    assert await serving is ExitCode.DRAINED
    assert sorted(worker.judged) == ["e-0", "e-3", "e-4"]
    assert len(worker.log.records(worker.topics.dead_letters)) == 2
    assert worker.app.assignments.fates.balanced
