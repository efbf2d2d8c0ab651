"""The events that a measurement reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from time import monotonic

import orjson
from aiokafka import AIOKafkaProducer

_CONTENT = (
    "has anybody tried the new map yet? we were going to meet at the bridge at nine but half of "
    "the group is late again, so take your time"
)


async def fill(bootstrap_servers: str, topic: str, events: int) -> None:
    """Write that many chat events of about 330 bytes, over 200 conversations."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, linger_ms=20, max_batch_size=512 * 1024
    )
    await producer.start()
    try:
        for number in range(events):
            key, value = chat_event(number)
            await producer.send(topic, value, key=key)
    finally:
        await producer.stop()


@asynccontextmanager
async def flooded(bootstrap_servers: str, topic: str, per_s: float) -> AsyncIterator[None]:
    """So many chat events a second, of random lanes, are written while the block runs."""
    load = asyncio.create_task(_flood(bootstrap_servers, topic, per_s))
    try:
        yield
    finally:
        load.cancel()
        await asyncio.wait({load})


async def _flood(bootstrap_servers: str, topic: str, per_s: float) -> None:
    random, began, sent = Random(8), monotonic(), 0
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, linger_ms=20)
    await producer.start()
    try:
        while True:
            while sent < per_s * (monotonic() - began):
                key, value = chat_event(sent, lane=random.choice(["live", "standard", "backfill"]))
                await producer.send(topic, value, key=key)
                sent += 1
            await asyncio.sleep(0.02)
    finally:
        await producer.stop()


def chat_event(number: int, **fields: str) -> tuple[bytes, bytes]:
    """Key and value of a chat event that is given now."""
    conversation = f"c-{number % 200}"
    event = {
        "event_id": f"e-{number}",
        "occurred_at": datetime.now(UTC),
        "kind": "message",
        "conversation_id": conversation,
        "author": {"id": f"u-{number % 997}", "role": "user"},
        "content": f"{number}: {_CONTENT}",
        **fields,
    }
    return conversation.encode(), orjson.dumps(event)
