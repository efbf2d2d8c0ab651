"""Transactions on the log in memory: the same fences and the same traps as Kafka's.

What is not committed is not in the log at all, which is how it looks to whoever reads only what is
committed. A producer that is started fences every earlier one of its id. A record that is refused
fails alone: the commit behind it succeeds without it.
"""

import asyncio

from afterguard.contracts.errors import Fenced, PublishFailed, StreamUnavailable, TopicMissing
from afterguard.contracts.records import OutputRecord
from afterguard.stream.memory import MemoryLog, TooLarge
from afterguard.stream.ports import Partition


class MemoryTransactionalProducer:
    """See `stream.ports.TransactionalProducer`.

    Args:
        log: Where it writes.
        group: Whose offset advances.
        partition: Of the input.
    """

    def __init__(self, log: MemoryLog, group: str, partition: Partition) -> None:
        self._log, self._group = log, group
        self._id = f"{group}.{partition.topic}.{partition.number}"
        self._epoch = 0
        self._open = False
        self._records: list[OutputRecord] = []
        self._offsets: dict[Partition, int] = {}

    async def start(self) -> None:
        """Fence every earlier producer of this id."""
        self._epoch = self._log.epochs.get(self._id, 0) + 1
        self._log.epochs[self._id] = self._epoch

    async def begin(self) -> None:
        """Begin; nothing is asked of the log yet, so a fence is not noticed here."""
        if self._open or not self._epoch:
            raise StreamUnavailable("not started, or a transaction is open")
        self._open, self._records, self._offsets = True, [], {}

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """Keep a record for the commit; the future is done."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        try:
            self._require_open()
            self._log.require_room(record)
            self._records.append(record)
            future.set_result(None)
        except (TopicMissing, TooLarge) as error:
            future.set_exception(PublishFailed(f"refused ({type(error).__name__})"))
        except (Fenced, StreamUnavailable) as error:
            future.set_exception(error)
        return future

    async def send_offset(self, partition: Partition, offset: int) -> None:
        """Keep an offset for the commit."""
        self._require_open()
        self._offsets[partition] = offset

    async def commit(self) -> None:
        """Everything at once."""
        self._require_open()
        self._open = False
        for record in self._records:
            self._log.append(record)
        for partition, offset in self._offsets.items():
            self._log.committed[self._group, partition] = offset

    async def abort(self) -> None:
        """Nothing of it."""
        self._require_open()
        self._open = False

    async def stop(self) -> None:
        """What is open is in no log, so nothing is left behind."""
        self._open = False

    def _require_open(self) -> None:
        if self._log.epochs.get(self._id) != self._epoch:
            raise Fenced("a later producer of this id was started")
        if not self._open:
            raise StreamUnavailable("no transaction is open")
