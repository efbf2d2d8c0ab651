"""A proxy before the embedded broker that keeps fetched data as small as Kafka does.

The embedded broker answers a fetch with all that it has, whatever limits the client names, so a
worker's memory would follow the backlog rather than the worker. Kafka cuts after whole batches.
"""

import asyncio
import struct
from io import BytesIO
from typing import Any

from aiokafka.protocol import fetch
from aiokafka.protocol.api import RequestHeader_v1
from tests.proxy import Proxy, frame, write

_FETCH = 1
_BATCH_HEAD = struct.Struct(">qi")


class BoundedFetches(Proxy):
    """An async context manager; clients use its address instead of the broker's.

    Args:
        broker_port: On 127.0.0.1.
        partition_bytes: Most bytes of one partition in one answer; a first batch is always whole.
    """

    def __init__(self, broker_port: int, partition_bytes: int) -> None:
        super().__init__(broker_port)
        self._partition_bytes = partition_bytes

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self.port}"

    async def serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind_in: asyncio.StreamReader,
        behind_out: asyncio.StreamWriter,
    ) -> None:
        """See `Proxy.serve`."""
        # Clients that learn an address come back this way.
        theirs, ours = (b"127.0.0.1" + struct.pack(">i", port) for port in (self.behind, self.port))
        while True:
            request = await frame(reader)
            write(behind_out, request)
            answer = await frame(behind_in)
            key, version, _, _ = RequestHeader_v1.SCHEMA.decode(BytesIO(request))
            told = self._cut(answer, version) if key == _FETCH else answer.replace(theirs, ours)
            write(writer, told)
            await writer.drain()

    def _cut(self, answer: bytes, version: int) -> bytes:
        kind: Any = getattr(fetch, f"FetchResponse_v{version}")
        *head, topics = kind.SCHEMA.decode(BytesIO(answer[4:]))
        cut = [
            (topic, [(*rest, self._whole_batches(records)) for *rest, records in partitions])
            for topic, partitions in topics
        ]
        return answer[:4] + bytes(kind(*head, cut).encode())

    def _whole_batches(self, records: bytes | None) -> bytes | None:
        if records is None or len(records) <= self._partition_bytes:
            return records
        end = 0
        while end + _BATCH_HEAD.size <= len(records):
            following = end + _BATCH_HEAD.size + _BATCH_HEAD.unpack_from(records, end)[1]
            if end and following > self._partition_bytes:
                break
            end = following
        return records[:end]
