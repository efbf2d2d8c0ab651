"""`afterguard why`: a running worker says which record holds each commit back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from tests.cli.commands import Told, afterguard
from tests.flow.judges import HeldJudge
from tests.memory_worker import MemoryWorker, until
from tests.samples import answered

from afterguard.contracts.exit_codes import ExitCode
from afterguard.embedded.process import free_port
from afterguard.health.why_report import Room, WhyReport


@asynccontextmanager
async def serving(stuck_after_s: float = 300) -> AsyncIterator[MemoryWorker]:
    """A worker with one event at a judge that does not answer, and two that wait in the lane."""
    worker = MemoryWorker(
        HeldJudge(answered(False)),
        http={"enabled": True, "port": 0},
        intake={"max_concurrent_events": 1},
        delivery={"stuck_after_s": stuck_after_s},
    )
    for number in range(3):
        worker.send(number, content="nobody may read this")
    running = worker.serve()
    try:
        await until(lambda: worker.app.dispatch.waiting == 2)
        yield worker
    finally:
        worker.stop.ask()
        worker.stop.ask()
        assert await running is ExitCode.DRAINED


async def why(worker: MemoryWorker, *arguments: str) -> Told:
    assert worker.app.http is not None
    url = f"http://127.0.0.1:{worker.app.http.port}"
    return await asyncio.to_thread(afterguard, "why", "--url", url, *arguments)


async def test_a_table_names_offset_room_and_what_waits_behind() -> None:
    async with serving() as worker:
        told = await why(worker)
    row = next(line for line in told.out.splitlines() if "chat.events/0" in line).split()
    assert row[:4] == ["chat.events/0", "-", "0", "judge"]
    assert "(judge 1 lane 2)" in told.out
    assert "in flight: 3 of" in told.out
    assert (told.code, told.err) == (0, "")


async def test_json_is_the_report() -> None:
    async with serving() as worker:
        told = await why(worker, "--json", "--partition", "0")
    report = WhyReport.model_validate_json(told.out)
    assert report.partitions[0].rooms == {Room.JUDGE: 1, Room.LANE: 2}
    assert "nobody may read this" not in told.out


async def test_a_stuck_partition_is_told_in_words_and_ends_with_3() -> None:
    async with serving(stuck_after_s=0.01) as worker:
        await until(worker.app.why.look)
        told = await why(worker)
    assert told.code == 3
    assert "STUCK for" in told.out
    assert "chat.events/0/0 is at the engine" in told.out


async def test_a_partition_of_another_worker_is_refused_with_those_it_has() -> None:
    async with serving() as worker:
        told = await why(worker, "--partition", "5")
    assert told.code == ExitCode.UNFORESEEN
    assert told.err.strip() == "partition '5' is not of this worker; it has: 0"


def test_without_a_worker_it_says_how_to_reach_one() -> None:
    told = afterguard("why", "--url", f"http://127.0.0.1:{free_port()}")
    assert told.code == ExitCode.UNFORESEEN
    assert "no worker answers at" in told.err
    assert "--url" in told.err


@pytest.mark.parametrize("answer", ["{}", "[]", '{"partitions": 7}'])
async def test_an_answer_of_another_version_is_told(answer: str) -> None:
    server = web.Application()
    server.router.add_get("/why", lambda _: _as_json(answer))
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    try:
        told = await asyncio.to_thread(afterguard, "why", "--url", f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
    assert told.code == ExitCode.UNFORESEEN
    assert "ask with the version that the worker has" in told.err


async def _as_json(answer: str) -> web.Response:
    return web.Response(text=answer, content_type="application/json")
