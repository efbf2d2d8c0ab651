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
from tests.proxy import Proxy, frame, write
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


class GuardedBroker(Proxy):
    """An async context manager; clients use its address instead of the broker's.

    Args:
        broker: What is guarded.
        tls: The server's side; no TLS when None.
        accounts: Who may log in; anybody, without, when None.
        mechanisms: What is offered to log in with.
        advertised: Under which name clients are told to come back; as long as `127.0.0.1`.
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
        super().__init__(int(port), tls)
        self._accounts, self._mechanisms = accounts, mechanisms
        self._advertised = advertised

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
        return await super().__aenter__()

    async def serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind_in: asyncio.StreamReader,
        behind_out: asyncio.StreamWriter,
    ) -> None:
        """See `Proxy.serve`."""
        theirs = b"127.0.0.1" + struct.pack(">i", self.behind)
        ours = self._advertised.encode() + struct.pack(">i", self.port)
        assert len(theirs) == len(ours)
        login = _Login(done=self._accounts is None)
        try:
            while True:
                request = await frame(reader)
                answer = self._answer(request, login)
                if answer is None:
                    write(behind_out, request)
                    answer = (await frame(behind_in)).replace(theirs, ours)
                write(writer, answer)
                await writer.drain()
        except _Hangup:
            pass

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
