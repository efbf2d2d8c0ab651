"""TLS and SASL in front of the embedded broker, which has no TLS and accepts any credentials.

A TCP proxy: it ends TLS, asks for a log-in and checks it, and hands everything else on. Test code
only.
"""

import asyncio
import ssl
import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Self

import pytest
from aiokafka.protocol import admin
from aiokafka.protocol.api import RequestHeader_v1
from tests.conftest import Broker
from tests.sasl_server import Accounts, Conversation, Refused

_API_VERSIONS, _HANDSHAKE, _AUTHENTICATE = 18, 17, 36
_UNSUPPORTED, _ILLEGAL_STATE, _REFUSED = 33, 34, 58


class _Hangup(Exception):
    """The connection ends without an answer, as Kafka does with what it does not expect."""


@dataclass
class _Login:
    """How far one connection has come."""

    done: bool
    conversation: Conversation | None = None


class GuardedBroker:
    """An async context manager; clients use its address instead of the broker's.

    Args:
        broker: What is guarded.
        tls: The server's side; no TLS when None.
        accounts: Who may log in; anybody, without, when None.
        mechanisms: What is offered to log in with.
        advertised: Under which name clients are told to come back; as long as `127.0.0.1`.

    Attributes:
        shown: The certificate that each client showed, as bytes.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        tls: ssl.SSLContext | None = None,
        accounts: Accounts | None = None,
        mechanisms: tuple[str, ...] = ("PLAIN",),
        advertised: str = "localhost",
    ) -> None:
        self._host, _, port = broker.bootstrap_servers.rpartition(":")
        self._broker_port = int(port)
        self._tls, self._accounts, self._mechanisms = tls, accounts, mechanisms
        self._advertised = advertised
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self.shown: list[bytes] = []
        self.port = 0

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""
        return f"localhost:{self.port}"

    def settings(self, broker: Broker, **changes: object) -> Any:
        """Settings of a client that comes this way; see `Broker.settings`."""
        return broker.settings(bootstrap_servers=self.bootstrap_servers, **changes)

    async def __aenter__(self) -> Self:
        if self._host != "127.0.0.1":
            pytest.skip("the guard stands in front of the embedded broker alone")
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
        """Break all connections, as a broker does when a session's time is over.

        Returns:
            How many.
        """
        for writer in self._open:
            writer.transport.abort()
        return len(self._open)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (shown := writer.get_extra_info("ssl_object")) is not None:
            self.shown += [it for it in [shown.getpeercert(binary_form=True)] if it]
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        broker_in, broker_out = await asyncio.open_connection("127.0.0.1", self._broker_port)
        theirs = b"127.0.0.1" + struct.pack(">i", self._broker_port)
        ours = self._advertised.encode() + struct.pack(">i", self.port)
        assert len(theirs) == len(ours)
        login = _Login(done=self._accounts is None)
        self._open.add(writer)
        try:
            while True:
                request = await _frame(reader)
                answer = self._answer(request, login)
                if answer is None:
                    _write(broker_out, request)
                    answer = (await _frame(broker_in)).replace(theirs, ours)
                _write(writer, answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError, _Hangup):
            pass
        finally:
            self._open.discard(writer)
            broker_out.close()
            writer.close()

    def _answer(self, request: bytes, login: _Login) -> bytes | None:
        """Our own answer; None for what the broker answers."""
        stream = BytesIO(request)
        key, version, correlation, _ = RequestHeader_v1.SCHEMA.decode(stream)
        if key == _HANDSHAKE:
            asked = admin.SaslHandShakeRequest_v0.decode(stream)
            answer = self._shaken(asked.mechanism, version, login)
        elif key == _AUTHENTICATE:
            said = admin.SaslAuthenticateRequest_v0.decode(stream).sasl_auth_bytes
            answer = _told(said, version, login)
        elif login.done or (key == _API_VERSIONS and login.conversation is None):
            return None
        else:
            raise _Hangup
        return struct.pack(">i", correlation) + bytes(answer)

    def _shaken(self, mechanism: str, version: int, login: _Login) -> bytes:
        if self._accounts is None:
            fault = _ILLEGAL_STATE
        elif mechanism not in self._mechanisms:
            fault = _UNSUPPORTED
        else:
            fault = 0
            login.conversation = self._accounts.conversation(mechanism)
            next(login.conversation)
        kind = getattr(admin, f"SaslHandShakeResponse_v{version}")
        return bytes(kind(fault, list(self._mechanisms)).encode())


def _told(said: bytes, version: int, login: _Login) -> bytes:
    if login.conversation is None:
        raise _Hangup
    fault, answer = 0, b""
    try:
        answer = login.conversation.send(said)
    except StopIteration as ended:
        login.done, answer = True, ended.value
    except Refused:
        fault = _REFUSED
    kind = getattr(admin, f"SaslAuthenticateResponse_v{version}")
    more = (0,) if version else ()
    return bytes(kind(fault, "refused" if fault else None, answer, *more).encode())


async def _frame(reader: asyncio.StreamReader) -> bytes:
    size = struct.unpack(">i", await reader.readexactly(4))[0]
    if not 0 < size < 64 * 2**20:
        raise _Hangup
    return await reader.readexactly(size)


def _write(writer: asyncio.StreamWriter, frame: bytes) -> None:
    writer.write(struct.pack(">i", len(frame)) + frame)
