"""The work of a replay: everything sent is waited for and counted, whatever ends it."""

import asyncio
import os
import signal
from pathlib import Path

from tests.cli.producers import RefusingProducer, SlowProducer

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.replay_rows import RowEvents
from afterguard.cli.replay_run import TOLD_ROWS, Replayed, replay
from afterguard.contracts.errors import PublishFailed, SettingsError
from afterguard.row_files import RowFile
from afterguard.stream.memory import MemoryLog, MemoryProducer

TOPIC = "chat.events"
WAIT_S = 20.0


def lines(tmp_path: Path, count: int, broken: int = 0) -> str:
    path = tmp_path / "m.jsonl"
    good = "".join(f'{{"content": "m {number}"}}\n' for number in range(count))
    path.write_text(good + "{\n" * broken)
    return str(path)


async def run(name: str, producer: MemoryProducer | None, **options: float) -> Replayed:
    sends = AcknowledgedSends(producer, max_in_flight=100) if producer else None
    with RowFile(name) as rows:
        return await replay(
            rows,
            RowEvents({}, max_bytes=10_000),
            sends,
            topic=TOPIC,
            rate=options.get("rate"),
            limit=int(options["limit"]) if "limit" in options else None,
        )


async def test_every_row_is_counted_once(tmp_path: Path) -> None:
    log = MemoryLog({TOPIC: 3})
    told = await run(lines(tmp_path, 500, broken=30), MemoryProducer(log))
    assert (told.rows, told.sent, told.acknowledged) == (530, 500, 500)
    assert told.bad == {"not_json": 30}
    assert [it.line for it in told.bad_rows] == list(range(501, 501 + TOLD_ROWS))
    assert (told.ids_made, told.times_made, told.stopped) == (500, 500, False)
    assert told.fault is None
    assert len(log.records(TOPIC)) == 500


async def test_a_limit_counts_rows(tmp_path: Path) -> None:
    log = MemoryLog({TOPIC: 1})
    told = await run(lines(tmp_path, 500), MemoryProducer(log), limit=7)
    assert (told.rows, len(log.records(TOPIC))) == (7, 7)


async def test_a_dry_run_counts_what_would_be_sent(tmp_path: Path) -> None:
    told = await run(lines(tmp_path, 20, broken=1), None)
    assert (told.rows, told.sent, told.acknowledged) == (21, 20, 0)


async def test_a_rate_sends_no_event_before_its_time(tmp_path: Path) -> None:
    told = await run(lines(tmp_path, 11), MemoryProducer(MemoryLog({TOPIC: 1})), rate=50)
    assert told.acknowledged == 11
    assert told.seconds >= 10 / 50 - 0.01


async def test_a_refusal_ends_it_with_what_was_acknowledged(tmp_path: Path) -> None:
    log = MemoryLog({TOPIC: 1})
    told = await run(lines(tmp_path, 500), RefusingProducer(log, accepts=4))
    assert isinstance(told.fault, PublishFailed)
    assert told.acknowledged == len(log.records(TOPIC)) == 4
    assert told.sent >= told.acknowledged


async def test_a_file_that_breaks_off_leaves_its_begin_sent(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("content\na\nb\n" + '"' + "x" * 17 * 2**20)
    log = MemoryLog({TOPIC: 1})
    told = await run(str(path), MemoryProducer(log))
    assert isinstance(told.fault, SettingsError)
    assert told.acknowledged == len(log.records(TOPIC)) == 2


async def test_a_signal_ends_it_and_what_is_under_way_is_waited_for(tmp_path: Path) -> None:
    producer = SlowProducer(MemoryLog({TOPIC: 1}))
    running = asyncio.create_task(run(lines(tmp_path, 500), producer))
    async with asyncio.timeout(WAIT_S):
        while len(producer.waiting) < 100:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.05)
        assert not running.done()
        producer.acknowledge(60)
        while not running.done():
            producer.acknowledge(1)
            await asyncio.sleep(0)
    told = running.result()
    assert told.stopped
    assert told.acknowledged == told.sent
    assert 100 <= told.sent < 500
    assert told.fault is None
