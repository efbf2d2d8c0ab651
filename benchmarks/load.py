"""The events that both sides of a measurement read."""

from datetime import UTC, datetime

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
            conversation = f"c-{number % 200}"
            event = {
                "event_id": f"e-{number}",
                "occurred_at": datetime.now(UTC),
                "kind": "message",
                "conversation_id": conversation,
                "author": {"id": f"u-{number % 997}", "role": "user"},
                "content": f"{number}: {_CONTENT}",
            }
            await producer.send(topic, orjson.dumps(event), key=conversation.encode())
    finally:
        await producer.stop()
