"""Logs that fail on purpose, to show what the stream makes of it."""

import asyncio
from collections.abc import Mapping, Sequence

from afterguard.contracts.errors import StreamUnavailable
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.stream.ports import AssignmentListener, Partition

HANGS = "hangs"


class FaultyCommits:
    """A consumer whose commits answer as scripted: True, False, an error, or never.

    The last answer of the script is repeated.
    """

    def __init__(self, *script: bool | Exception | str) -> None:
        self._script = list(script)
        self.asked: list[dict[Partition, int]] = []
        self.reading_began: dict[Partition, int] = {}

    async def commit(self, positions: Mapping[Partition, int]) -> bool:
        self.asked.append(dict(positions))
        answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, str):
            await asyncio.Event().wait()
        return answer is True

    async def start(self, listener: AssignmentListener) -> None: ...

    async def take(self, max_records: int, timeout_s: float) -> Sequence[InputRecord]:
        await asyncio.sleep(timeout_s)
        return ()

    def pause(self, partitions: Sequence[Partition] | None = None) -> None: ...

    def resume(self, partitions: Sequence[Partition] | None = None) -> None: ...

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        return dict.fromkeys(partitions)

    async def beginnings(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return dict.fromkeys(partitions, 0)

    def begun(self) -> Mapping[Partition, int]:
        return self.reading_began

    def seek(self, partition: Partition, offset: int) -> None: ...

    def lag(self) -> Mapping[Partition, int]:
        return {}

    async def stop(self) -> None: ...


class HeldProducer:
    """A producer whose records are acknowledged or refused when the test says so."""

    def __init__(self) -> None:
        self.sent: list[tuple[OutputRecord, asyncio.Future[object]]] = []

    async def start(self) -> None: ...

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.sent.append((record, future))
        return future

    async def flush(self) -> None: ...

    async def stop(self) -> None: ...

    @property
    def topics(self) -> list[str]:
        """Where the records went, in order."""
        return [record.topic for record, _ in self.sent]

    async def acknowledge(self, *which: int) -> None:
        """Acknowledge these records, all when none is named."""
        for number in which or range(len(self.sent)):
            if not self.sent[number][1].done():
                self.sent[number][1].set_result(None)
        await asyncio.sleep(0)

    async def refuse(self, number: int) -> None:
        """Refuse one record."""
        self.sent[number][1].set_exception(StreamUnavailable("refused by the test"))
        await asyncio.sleep(0)
