"""Sending a file: bounded memory, every record's fate checked, the acknowledged ones counted."""

import asyncio

from afterguard.contracts.errors import PublishFailed, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.ports import Producer


class AcknowledgedSends:
    """Sends records in order through a started producer.

    A producer tries again for as long as its broker is away. Here somebody waits for the end, so
    that silence is an answer, too.

    Args:
        producer: Where to.
        max_in_flight: Records sent and not yet acknowledged; `send` waits above it.
        patience_s: How long the broker may acknowledge nothing, seconds.

    Attributes:
        acknowledged: Records that the broker has taken, so far.
    """

    def __init__(
        self, producer: Producer, *, max_in_flight: int = 5_000, patience_s: float = 60.0
    ) -> None:
        self._producer, self._patience_s = producer, patience_s
        self._most = max_in_flight
        # In the order in which they were sent.
        self._in_flight: dict[asyncio.Future[object], None] = {}
        self._refused: BaseException | None = None
        self.acknowledged = 0

    async def send(self, record: OutputRecord) -> None:
        """Hand one record over; returns before it is acknowledged.

        Raises:
            PublishFailed: A record before it was refused. Nothing may follow, for the order of a
                conversation would have a hole.
            StreamUnavailable: The broker is silent.
        """
        while len(self._in_flight) >= self._most:
            await self._one_more()
        self._check()
        sent = await self._producer.send(record)
        self._in_flight[sent] = None
        sent.add_done_callback(self._settle)

    async def flush(self) -> None:
        """Wait until every record sent has its answer.

        Raises:
            PublishFailed: One of them was refused.
            StreamUnavailable: The broker is silent.
        """
        while self._in_flight:
            await self._one_more()
        self._check()

    async def _one_more(self) -> None:
        answered, _ = await asyncio.wait({next(iter(self._in_flight))}, timeout=self._patience_s)
        if not answered:
            raise StreamUnavailable(
                f"the broker has acknowledged nothing for {self._patience_s:g} s; "
                f"{len(self._in_flight)} records have no answer"
            )

    def _settle(self, sent: "asyncio.Future[object]") -> None:
        del self._in_flight[sent]
        error = asyncio.CancelledError() if sent.cancelled() else sent.exception()
        if error is None:
            self.acknowledged += 1
        elif self._refused is None:
            self._refused = error

    def _check(self) -> None:
        if self._refused is not None:
            raise PublishFailed(f"the broker did not take a record: {type(self._refused).__name__}")
