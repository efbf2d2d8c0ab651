"""The load on the live scene: talk, what breaks a rule, repeats, and every kind of bad luck."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any, Final
from uuid import UUID

import orjson
from aiokafka import AIOKafkaProducer
from tests.ops.dashboards.scene import FLOOD
from tests.prefilter.rows import pitch, talk

_LANES: Final = ("live", "standard", "standard", "backfill")


async def steady(servers: str, topic: str, per_s: float, ends: asyncio.Event) -> None:
    """So many events a second until somebody ends it: half of them sell something."""
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for number in count():
            await _send(producer, topic, number, _event(number))
            if await _ended(ends, 1 / per_s):
                return


async def rough(servers: str, topic: str, per_s: float, ends: asyncio.Event) -> None:
    """The same, with what a worker has to cope with: one of each among ten events."""
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for number in count():
            for value in _trouble(number):
                await _send(producer, topic, number, value)
            if await _ended(ends, 1 / per_s):
                return


async def burst(servers: str, topic: str, many: int) -> None:
    """So many events of the lowest lane at once."""
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for number in range(many):
            event = {**_event(number), "event_id": f"burst-{number}", "lane": "backfill"}
            await producer.send(topic, orjson.dumps(event), b"c-%d" % number)


async def flood(servers: str, topic: str) -> None:
    """So many records that are no event that intake is held."""
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        for number in range(FLOOD):
            await producer.send(topic, b"no event", b"c-%d" % number)


def _trouble(number: int) -> Iterator[dict[str, Any] | bytes | None]:
    event = _event(number)
    match number % 10:
        case 3:
            yield b"no event" if number % 20 == 3 else None
        case 5:
            yield {**event, "deadline": event["occurred_at"]}
        case 7:
            yield event
            yield event
        case _:
            yield event


def _event(number: int) -> dict[str, Any]:
    # Texts come again, so that some verdicts are in the cache.
    chance = Random(number % 60)
    now = datetime.now(UTC) - timedelta(seconds=chance.random())
    return {
        "event_id": f"e-{number}",
        "occurred_at": now.isoformat(),
        "kind": "message",
        "conversation_id": f"c-{number % 23}",
        "author": {"id": f"u-{number % 11}", "role": "user"},
        "content": f"{(pitch if number % 2 else talk)(chance)} {number % 60}",
        "lane": _LANES[number % len(_LANES)],
    }


async def _send(
    producer: AIOKafkaProducer, topic: str, number: int, value: dict[str, Any] | bytes | None
) -> None:
    trace = UUID(int=number + 1).hex
    await producer.send(
        topic,
        orjson.dumps(value) if isinstance(value, dict) else value,
        b"c-%d" % (number % 23),
        headers=[("traceparent", f"00-{trace}-{trace[:15]}1-01".encode())],
    )


async def _ended(ends: asyncio.Event, within_s: float) -> bool:
    try:
        await asyncio.wait_for(ends.wait(), within_s)
    except TimeoutError:
        return False
    return True
