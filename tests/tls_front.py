"""TLS in front of a server that has none, such as the embedded Valkey. Test code only."""

import asyncio
import ssl
from typing import Self


class TlsFront:
    """An async context manager: ends TLS and hands the bytes on, both ways.

    Args:
        port: Of the server behind, on 127.0.0.1.
        tls: The server's side.
    """

    def __init__(self, port: int, tls: ssl.SSLContext) -> None:
        self._behind, self._tls = port, tls
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self.shown: list[bytes] = []
        self.port = 0

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

    def cut(self) -> int:
        """Break all connections; they may be opened again at once. Returns how many."""
        for writer in self._open:
            writer.transport.abort()
        return len(self._open)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        self.shown += [shown] if shown else []
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_in, behind_out = await asyncio.open_connection("127.0.0.1", self._behind)
        self._open.add(writer)
        ways = {
            asyncio.ensure_future(_pour(reader, behind_out)),
            asyncio.ensure_future(_pour(behind_in, writer)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open.discard(writer)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            behind_out.close()
            writer.close()


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while some := await source.read(65_536):
        into.write(some)
        await into.drain()
