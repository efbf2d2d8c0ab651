"""Sending a file: bounded memory, every record's fate checked, the acknowledged ones counted."""

import asyncio

from afterguard.contracts.errors import PublishFailed
from afterguard.contracts.records import OutputRecord
from afterguard.stream.ports import Producer


class AcknowledgedSends:
    """Sends records in order through a started producer.

    Args:
        producer: Where to.
        max_in_flight: Records sent and not yet acknowledged; `send` waits above it.

    Attributes:
        acknowledged: Records that the broker has taken, so far.
    """

    def __init__(self, producer: Producer, *, max_in_flight: int = 5_000) -> None:
        self._producer = producer
        self._room = asyncio.Semaphore(max_in_flight)
        self._in_flight: set[asyncio.Future[object]] = set()
        self._refused: BaseException | None = None
        self.acknowledged = 0

    async def send(self, record: OutputRecord) -> None:
        """Hand one record over; returns before it is acknowledged.

        Raises:
            PublishFailed: A record before it was refused. Nothing may follow, for the order of a
                conversation would have a hole.
        """
        await self._room.acquire()
        self._check()
        sent = await self._producer.send(record)
        self._in_flight.add(sent)
        sent.add_done_callback(self._settle)

    async def flush(self) -> None:
        """Wait until every record sent has its answer.

        Raises:
            PublishFailed: One of them was refused.
        """
        await self._producer.flush()
        while self._in_flight:
            await asyncio.wait(self._in_flight)
        self._check()

    def _settle(self, sent: "asyncio.Future[object]") -> None:
        self._in_flight.discard(sent)
        self._room.release()
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if error is None:
            self.acknowledged += 1
        elif self._refused is None:
            self._refused = error

    def _check(self) -> None:
        if self._refused is not None:
            raise PublishFailed(f"the broker refused a record: {type(self._refused).__name__}")
