"""A proxy before the embedded broker that keeps fetched data as small as Kafka does.

The embedded broker answers a fetch with all that it has, whatever limits the client names, so a
worker's memory would follow the backlog rather than the worker. Kafka cuts after whole batches.
"""

import asyncio
import struct
from io import BytesIO
from typing import Any, Self

from aiokafka.protocol import fetch
from aiokafka.protocol.api import RequestHeader_v1

_FETCH = 1
_BATCH_HEAD = struct.Struct(">qi")


class BoundedFetches:
    """An async context manager; clients use its address instead of the broker's.

    Args:
        broker_port: On 127.0.0.1.
        partition_bytes: Most bytes of one partition in one answer; a first batch is always whole.
    """

    def __init__(self, broker_port: int, partition_bytes: int) -> None:
        self._broker_port, self._partition_bytes = broker_port, partition_bytes
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._broker_port)
        # Clients that learn an address come back this way.
        theirs, ours = (
            b"127.0.0.1" + struct.pack(">i", port) for port in (self._broker_port, self._port)
        )
        try:
            while True:
                request = await _frame(reader)
                _write(broker_out, request)
                answer = await _frame(broker_in)
                key, version, _, _ = RequestHeader_v1.SCHEMA.decode(BytesIO(request))
                if key == _FETCH:
                    answer = self._cut(answer, version)
                else:
                    answer = answer.replace(theirs, ours)
                _write(writer, answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            # One of the two has gone; the other is told by the end of its connection.
            pass
        finally:
            broker_out.close()
            writer.close()

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


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = struct.unpack(">i", await reader.readexactly(4))[0]
    return await reader.readexactly(size)


def _write(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(struct.pack(">i", len(frame)) + frame)
