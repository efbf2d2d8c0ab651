"""`afterguard traffic`: events that a worker takes, at the rate and mix that were asked for."""

import asyncio
import json
import os
import pty
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import islice
from random import Random
from statistics import fmean
from typing import Any

import orjson
import pytest
from tests.cli.commands import afterguard, ended, environment, start
from tests.cli.producers import RefusingProducer
from tests.conftest import Broker
from tests.onlooker import read_topic

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.traffic_run import (
    Spacing,
    TrafficPlan,
    gap_s,
    send_traffic,
    traffic_records,
)
from afterguard.contracts.cloudevents import trace_context
from afterguard.contracts.codec import decode_event
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import PublishFailed
from afterguard.contracts.events import ChatEvent
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.words import Lane
from afterguard.stream.memory import MemoryLog
from afterguard.stream.settings import TopicSettings

ROUND = 357


def plan(**changes: Any) -> TrafficPlan:
    usual: dict[str, Any] = {
        "rate": 1_000_000.0,
        "count": 50,
        "seconds": None,
        "conversations": 10,
        "spacing": Spacing.STEADY,
        "lanes": {},
        "fresh": False,
    }
    return TrafficPlan(**usual | changes)


def made(count: int, **changes: Any) -> list[OutputRecord]:
    return list(islice(traffic_records(plan(**changes), "t", Random(7)), count))


def read(records: list[OutputRecord]) -> list[ChatEvent]:
    """As a worker reads them."""
    return [
        decode_event(
            InputRecord(Coordinates("t", 0, number), it.key, it.value, it.headers),
            max_bytes=1_000_000,
        )
        for number, it in enumerate(records)
    ]


def test_every_event_is_one_that_the_worker_takes_under_an_id_of_its_own() -> None:
    events = read(made(3 * ROUND))
    assert len({event.event_id for event in events}) == 3 * ROUND
    assert not any(event.model_extra for event in events)


def test_a_second_run_sends_other_ids() -> None:
    first, second = ({it.event_id for it in read(made(40))} for _ in range(2))
    assert not first & second


def test_the_key_is_the_conversation_so_that_it_stays_on_one_partition() -> None:
    records = made(ROUND)
    assert [it.key for it in records] == [e.conversation_id.encode() for e in read(records)]


@pytest.mark.parametrize("conversations", [1, 10, 300])
def test_so_many_conversations_go_on_at_the_same_time(conversations: int) -> None:
    events = read(made(conversations, conversations=conversations))
    assert len({event.conversation_id for event in events}) == conversations


def test_a_conversation_is_told_to_its_end_and_in_order() -> None:
    said: defaultdict[str, list[str]] = defaultdict(list)
    for event in read(made(2 * ROUND, conversations=10)):
        mark, _, conversation = event.conversation_id.partition("-")
        said[conversation].append(event.event_id.removeprefix(f"{mark}-"))
    whole = [ids for conversation, ids in said.items() if "~" not in conversation]
    assert sum(map(len, whole)) == ROUND
    assert all(ids == sorted(ids) for ids in whole)


def test_each_event_is_the_beginning_of_a_trace_of_its_own() -> None:
    traces = [trace_context(it.headers) for it in made(30)]
    assert all(trace and trace[0][0] == "traceparent" for trace in traces)
    assert len(set(traces)) == 30


def test_lanes_come_by_their_weights() -> None:
    lanes = Counter(it.lane for it in read(made(3_000, lanes={Lane.LIVE: 1, Lane.BACKFILL: 3})))
    assert set(lanes) == {Lane.LIVE, Lane.BACKFILL}
    assert 0.2 < lanes[Lane.LIVE] / lanes.total() < 0.3


def test_fresh_texts_are_never_said_twice() -> None:
    events = read(made(2 * ROUND, fresh=True))
    texts = [it.content if isinstance(it.content, str) else it.content[-1].text for it in events]
    assert len(set(texts)) == 2 * ROUND


@pytest.mark.parametrize("spacing", Spacing)
def test_the_gaps_come_to_the_rate(spacing: Spacing) -> None:
    random = Random(11)
    gaps = [gap_s(plan(rate=20, spacing=spacing), random) for _ in range(20_000)]
    assert fmean(gaps) == pytest.approx(1 / 20, rel=0.05)
    assert (len(set(gaps)) == 1) is (spacing is Spacing.STEADY)


async def sent(accepts: int = 10_000, **changes: Any) -> tuple[Any, MemoryLog]:
    log = MemoryLog({"t": 1})
    producer = RefusingProducer(log, accepts=accepts)
    await producer.start()
    told = await send_traffic(plan(**changes), AcknowledgedSends(producer), "t", random=Random(3))
    await producer.stop()
    return told, log


async def test_the_count_is_a_bound() -> None:
    told, log = await sent(count=25)
    assert (told.sent, told.acknowledged, told.stopped) == (25, 25, False)
    assert len(log.records("t")) == 25


async def test_the_time_is_a_bound_in_events_due_until_then() -> None:
    # Twenty a second for a tenth of a second: at 0 and at 50 ms.
    told, _ = await sent(count=None, seconds=0.099, rate=20)
    assert told.acknowledged == 2


async def test_a_broker_that_refuses_ends_it_and_what_it_took_is_counted() -> None:
    told, log = await sent(accepts=5)
    assert isinstance(told.fault, PublishFailed)
    assert told.acknowledged == len(log.records("t")) == 5


@pytest.mark.parametrize(
    "lanes", ["", "live", "urgent=1", "live=x", "live=0", "live=-1", "live=nan"]
)
def test_lanes_that_mean_nothing_are_told(lanes: str) -> None:
    told = afterguard("traffic", "--lanes", lanes)
    assert told.code == 78
    assert told.err.startswith("--lanes ")


@pytest.mark.broker
async def test_a_topic_that_is_missing_is_told(kafka: Broker) -> None:
    told = await asyncio.to_thread(
        afterguard, "traffic", "--bootstrap", kafka.bootstrap_servers, "--topic", "nowhere"
    )
    assert told.code == 81
    assert "`afterguard topics create` makes it" in told.err


@pytest.mark.broker
async def test_a_whole_run_is_acknowledged_and_can_be_read_back(
    kafka: Broker, topics: TopicSettings
) -> None:
    arguments = ("--count", "40", "--rate", "1000", "--topic", topics.events, "--json")
    process = start("traffic", "--bootstrap", kafka.bootstrap_servers, *arguments)
    told = await asyncio.to_thread(ended, process)
    assert told.code == 0
    assert json.loads(told.out.splitlines()[-1])["acknowledged"] == 40
    assert len(await read_topic(kafka.bootstrap_servers, topics.events)) == 40


@pytest.mark.broker
@pytest.mark.parametrize(
    ("bound", "code"), [((), 0), (("--minutes", "60"), 130)], ids=["endless", "bounded"]
)
async def test_a_signal_ends_it_and_only_a_bound_makes_that_an_interruption(
    kafka: Broker, topics: TopicSettings, bound: tuple[str, ...], code: int
) -> None:
    arguments = ("--rate", "50", "--topic", topics.events, "--json", *bound)
    process = start("traffic", "--bootstrap", kafka.bootstrap_servers, *arguments)
    try:
        while not await read_topic(kafka.bootstrap_servers, topics.events):
            await asyncio.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        told = await asyncio.to_thread(ended_by_itself, process)
    finally:
        process.kill()
    assert told[0] == code
    last = orjson.loads(told[1].splitlines()[-1])
    assert last["stopped"]
    assert last["sent"] == last["acknowledged"]
    assert len(await read_topic(kafka.bootstrap_servers, topics.events)) == last["sent"]


def ended_by_itself(process: "subprocess.Popen[bytes]") -> tuple[int, str]:
    process.wait(60)
    told = ended(process)
    return told.code, told.out


@pytest.mark.broker
async def test_progress_is_shown_on_a_terminal(kafka: Broker, topics: TopicSettings) -> None:
    arguments = ["--count", "20", "--rate", "100", "--topic", topics.events]
    shown = await asyncio.to_thread(
        _on_a_terminal, "traffic", "--bootstrap", kafka.bootstrap_servers, *arguments
    )
    assert "20 sent, 20 acknowledged" in shown


def _on_a_terminal(*arguments: str) -> str:
    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "afterguard", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=end,
        env=environment({"TERM": "xterm", "COLUMNS": "200"}),
    ) as process:
        process.wait(60)
    os.close(end)
    shown = os.read(terminal, 2**16).decode()
    os.close(terminal)
    return shown
