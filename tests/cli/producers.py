"""Producers that a test holds back or lets fail."""

import asyncio

from afterguard.contracts.records import OutputRecord
from afterguard.stream.memory import MemoryLog, MemoryProducer


class Refused(Exception):
    """What a broker says of a record that it does not take."""


class RefusingProducer(MemoryProducer):
    """Takes records until one of them is to be refused, and those behind it, too."""

    def __init__(self, log: MemoryLog, *, accepts: int) -> None:
        super().__init__(log)
        self._left = accepts

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """See `stream.ports.Producer.send`."""
        self._left -= 1
        if self._left >= 0:
            return await super().send(record)
        refused: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        refused.set_exception(Refused("its text may quote a record"))
        return refused


class SlowProducer(MemoryProducer):
    """Acknowledges nothing until it is told to."""

    def __init__(self, log: MemoryLog) -> None:
        super().__init__(log)
        self.waiting: list[asyncio.Future[object]] = []

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """See `stream.ports.Producer.send`."""
        sent: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.waiting.append(sent)
        return sent

    def acknowledge(self, count: int) -> None:
        """The first so many that wait."""
        for sent in self.waiting[:count]:
            sent.set_result(None)
        del self.waiting[:count]
