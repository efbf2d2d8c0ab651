"""A flood of one cause holds a whole worker until a person lets it go on; nothing is dropped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests.cli.commands import Told, afterguard
from tests.memory_worker import MemoryWorker, until

from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.records import OutputRecord
from afterguard.stream.intake import Hold

COUNT = 20


@asynccontextmanager
async def worker(**dead_letters: Any) -> AsyncIterator[MemoryWorker]:
    made = MemoryWorker(
        http={"port": 0},
        intake={"max_poll_records": 5},
        dead_letters={"flood_count": COUNT, "flood_window_s": 600} | dead_letters,
    )
    serving = made.serve()
    await until(lambda: made.app.started)
    try:
        yield made
    finally:
        made.stop.ask()
        assert await serving is ExitCode.DRAINED


def write(worker: MemoryWorker, value: bytes | None, count: int) -> None:
    for _ in range(count):
        worker.log.append(OutputRecord(worker.topics.events, b"k", value, partition=0))


def letters(worker: MemoryWorker) -> list[DeadLetter]:
    records = worker.log.records(worker.topics.dead_letters)
    return [DeadLetter.model_validate_json(it.value or b"") for it in records]


def url(worker: MemoryWorker) -> str:
    assert worker.app.http is not None
    return f"http://127.0.0.1:{worker.app.http.port}"


async def get(worker: MemoryWorker, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.get(f"{url(worker)}{path}") as answer:
        return answer.status, await answer.text()


async def resume(worker: MemoryWorker, *arguments: str) -> Told:
    return await asyncio.to_thread(afterguard, "resume", "--url", url(worker), *arguments)


def held(worker: MemoryWorker) -> bool:
    return Hold.FLOOD in worker.app.intake.holds


async def polls(worker: MemoryWorker) -> None:
    """A few more polls have come and gone."""
    for _ in range(3):
        await until(_moved(worker, worker.app.intake.polled_at))


def _moved(worker: MemoryWorker, before: float) -> Callable[[], bool]:
    return lambda: worker.app.intake.polled_at > before


async def test_it_holds_intake_says_so_and_goes_on_when_accepted(
    expected_errors: list[str],
) -> None:
    async with worker() as it:
        write(it, b"no json", COUNT + 50)
        await until(lambda: held(it))
        worker_event = it.send(1)
        await polls(it)
        assert COUNT <= len(letters(it)) <= COUNT + 5, "no more than the batch that was fetched"
        assert it.judged == []
        status, body = await get(it, "/readyz")
        assert status == 503
        assert "afterguard resume --accept not_json" in body
        assert (await get(it, "/livez"))[0] == 200
        assert 'afterguard_flood{reason="not_json"} 1.0' in (await get(it, "/metrics"))[1]
        told = await resume(it, "--accept", "not_json")
        assert (told.code, told.err) == (0, "")
        assert "intake goes on" in told.out
        await until(lambda: it.judged)
        assert (await get(it, "/readyz"))[0] == 200
        assert 'afterguard_flood{reason="not_json"} 0.0' in (await get(it, "/metrics"))[1]
        assert len(letters(it)) == COUNT + 50, "every record is kept, and none twice"
        await until(lambda: it.committed == worker_event.offset + 1)


async def test_another_cause_holds_it_again(expected_errors: list[str]) -> None:
    async with worker() as it:
        write(it, b"no json", COUNT)
        await until(lambda: held(it))
        write(it, None, COUNT)
        assert (await resume(it, "--accept", "not_json")).code == 0
        # Until the next poll intake is held by the first flood still.
        await until(lambda: len(letters(it)) == 2 * COUNT)
        await until(lambda: held(it))
        told = await resume(it)
        assert told.code == 1
        assert "--accept tombstone" in told.err
        told = await resume(it, "--accept", "unmapped")
        assert (told.code, "still held by: tombstone" in told.out) == (1, True)


async def test_a_rebalance_and_a_drain_do_not_open_it(expected_errors: list[str]) -> None:
    async with worker() as it:
        write(it, b"no json", COUNT + 20)
        await until(lambda: held(it))
        await polls(it)
        before = len(letters(it))
        await it.app.consumer.rebalance()  # type: ignore[attr-defined]
        await polls(it)
        assert held(it)
        assert it.app.intake.holds == {Hold.FLOOD}
        assert len(letters(it)) == before
    assert len(letters(it)) == before
    assert it.committed == before


async def test_what_the_settings_accept_or_do_not_count_is_no_flood() -> None:
    async with worker(flood_accept=["not_json"]) as it:
        write(it, b"no json", 3 * COUNT)
        await until(lambda: it.committed == 3 * COUNT)
        assert not held(it)
    async with worker(flood_count=None) as it:
        write(it, b"no json", 3 * COUNT)
        await until(lambda: it.committed == 3 * COUNT)
        assert not held(it)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--accept", "no_such_cause"), "no such cause: no_such_cause; there are "),
        (("--accept", "not_json", "--for", "soon"), "such as 10m"),
        ((), "name a cause; no flood of dead letters"),
    ],
)
async def test_a_wish_without_sense_is_refused(arguments: tuple[str, ...], told: str) -> None:
    async with worker() as it:
        answer = await resume(it, *arguments)
    assert answer.code == 1
    assert told in answer.err


def test_no_worker_is_told_with_where_it_was_sought() -> None:
    told = afterguard("resume", "--accept", "not_json", "--url", "http://127.0.0.1:9")
    assert told.code == 1
    assert told.err.startswith("no worker answers at http://127.0.0.1:9: ")
