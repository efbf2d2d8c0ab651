"""A TCP proxy in front of a service on this machine. Test code only."""

import asyncio
import ssl
import struct
from collections.abc import Coroutine
from typing import Any, Final, Self

# Kafka's `socket.request.max.bytes`.
_MOST_BYTES: Final = 104_857_600


class Proxy:
    """An async context manager; what it does with a connection is said in `serve`.

    Args:
        behind: Port of the service, on 127.0.0.1.
        tls: Our side of it; no TLS when None.

    Attributes:
        port: Where it listens.
        clients: Connections that are open.
        shown: The certificate that each client showed, as bytes.
    """

    def __init__(self, behind: int, tls: ssl.SSLContext | None = None) -> None:
        self.behind, self._tls = behind, tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.clients: set[asyncio.StreamWriter] = set()
        self.shown: list[bytes] = []
        self.port = 0

    async def serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind_in: asyncio.StreamReader,
        behind_out: asyncio.StreamWriter,
    ) -> None:
        """Carry one connection until it ends; both sides are closed afterwards."""
        raise NotImplementedError

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until the proxy ends."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cut(self) -> int:
        """Break all connections; they may be opened again at once. Returns how many."""
        for writer in self.clients:
            writer.transport.abort()
        return len(self.clients)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (shown := writer.get_extra_info("ssl_object")) is not None:
            self.shown += [it for it in [shown.getpeercert(binary_form=True)] if it]
        self.spawn(self._carry(reader, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_in, behind_out = await asyncio.open_connection("127.0.0.1", self.behind)
        self.clients.add(writer)
        try:
            await self.serve(reader, writer, behind_in, behind_out)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            self.clients.discard(writer)
            behind_out.close()
            writer.close()


async def frame(reader: asyncio.StreamReader) -> bytes:
    """The next request or answer of Kafka's protocol, without its length.

    Raises:
        ConnectionResetError: It is longer than a broker takes: another protocol, such as TLS.
    """
    size = struct.unpack(">i", await reader.readexactly(4))[0]
    if not 0 <= size <= _MOST_BYTES:
        raise ConnectionResetError
    return await reader.readexactly(size)


def write(writer: asyncio.StreamWriter, framed: bytes) -> None:
    """Hand one on."""
    writer.write(struct.pack(">i", len(framed)) + framed)
