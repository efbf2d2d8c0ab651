"""The load: events at a steady rate, and a ledger of what the broker acknowledged.

It writes to the broker itself and not through the coordinator, so that no fault blurs what was
sent: a record is in the ledger when the broker acknowledged it, and only then.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

CONVERSATIONS = 60
_NO_EVENTS = (
    b"no event",
    b"\xff\xfe\x00",
    b"{}",
    b'{"event_id": 1}',
    b"[" * 500,
    b"",
    b'"\\ud800"',
)
_OFTEN = ("good morning", "good evening", "who is there?", "see you tomorrow")
_LANES = ("live", "standard", "standard", "backfill", None)


@dataclass(frozen=True, slots=True)
class Sent:
    """One acknowledged record.

    Attributes:
        event_id: Of the event; None when the record is no event.
        conversation: Its key.
        value: As it was sent.
        at: When it was acknowledged, monotonic seconds.
    """

    event_id: str | None
    conversation: str
    value: bytes
    at: float


@dataclass(slots=True)
class SentLedger:
    """All acknowledged records, by partition and offset."""

    records: dict[tuple[int, int], Sent] = field(default_factory=dict)
    ends: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))

    def enter(self, partition: int, offset: int, sent: Sent) -> None:
        """Enter one."""
        self.records[partition, offset] = sent
        self.ends[partition] = max(self.ends[partition], offset + 1)


class Load:
    """Sends until it is cancelled.

    Args:
        bootstrap_servers: The broker.
        topic: Where to.
        rate: Events a second.
        held: Whether the workers are so far behind that more would say nothing new.
        seed: Of contents and conversations.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        topic: str,
        rate: float,
        seed: int,
        *,
        held: Callable[[], bool] = lambda: False,
    ) -> None:
        self._servers, self._topic, self._rate = bootstrap_servers, topic, rate
        self._held = held
        self._random = random.Random(f"load {seed}")
        self._number = 0
        self._spoiled = 0
        self._unanswered: set[asyncio.Task[None]] = set()
        self.ledger = SentLedger()

    async def run(self, until: asyncio.Event) -> None:
        """Send at the rate until told to end, then wait for every acknowledgement."""
        async with AIOKafkaProducer(
            bootstrap_servers=self._servers, enable_idempotence=True, acks="all", linger_ms=5
        ) as producer:
            due, last = 0.0, monotonic()
            while not until.is_set():
                now = monotonic()
                due, last = due + (now - last) * self._rate, now
                if self._held():
                    due = 0.0
                while due >= 1:
                    await self._send(producer)
                    due -= 1
                await asyncio.sleep(0.02)
            await producer.flush()
            if self._unanswered:
                await asyncio.gather(*self._unanswered)

    def spoil(self, count: int) -> None:
        """Let the next so many records be no events."""
        self._spoiled += count

    async def _send(self, producer: AIOKafkaProducer) -> None:
        number, self._number = self._number, self._number + 1
        conversation = f"c-{self._random.randrange(CONVERSATIONS)}"
        event_id, value = self._made(number, conversation)
        answer = await producer.send(self._topic, value, conversation.encode())
        task = asyncio.create_task(self._enter(answer, event_id, conversation, value))
        self._unanswered.add(task)
        task.add_done_callback(self._unanswered.discard)

    async def _enter(
        self, answer: Any, event_id: str | None, conversation: str, value: bytes
    ) -> None:
        where = await answer
        self.ledger.enter(
            where.partition, where.offset, Sent(event_id, conversation, value, monotonic())
        )

    def _made(self, number: int, conversation: str) -> tuple[str | None, bytes]:
        chance = self._random.random()
        if self._spoiled or chance < 0.01:
            self._spoiled = max(0, self._spoiled - 1)
            return None, self._random.choice((*_NO_EVENTS, self._random.randbytes(60)))
        often = chance < 0.05
        content = self._random.choice(_OFTEN) if often else f"message {number} in {conversation}"
        fields = {
            "event_id": f"e-{number}",
            "occurred_at": datetime.now(UTC).isoformat(),
            "kind": "message",
            "conversation_id": conversation,
            "author": {"id": f"u-{number % 9}", "role": "user"},
            "content": content,
            "lane": self._random.choice(_LANES),
        }
        return f"e-{number}", orjson.dumps(fields)
