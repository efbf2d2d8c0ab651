"""TLS in front of a server that has none, such as the embedded Valkey. Test code only."""

import asyncio

from tests.proxy import Proxy


class TlsFront(Proxy):
    """Ends TLS and hands the bytes on, both ways."""

    async def serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind_in: asyncio.StreamReader,
        behind_out: asyncio.StreamWriter,
    ) -> None:
        """See `Proxy.serve`."""
        ways = {
            asyncio.ensure_future(_pour(reader, behind_out)),
            asyncio.ensure_future(_pour(behind_in, writer)),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    while some := await source.read(65_536):
        into.write(some)
        await into.drain()
