"""A group coordinator in front of the embedded broker, which elects no new leader by itself.

A TCP proxy: it answers JoinGroup, SyncGroup, Heartbeat and LeaveGroup from its own state, checks
the generation of commits as Kafka does, and hands everything else on. Test code only; with a
person's own broker it is not used.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO
from time import monotonic
from typing import Any, Self
from uuid import uuid4

from aiokafka.coordinator.protocol import ConsumerProtocol
from aiokafka.protocol import commit, group
from aiokafka.protocol.api import RequestHeader_v1
from tests.proxy import Proxy, frame, write

_OFFSET_COMMIT, _JOIN, _HEARTBEAT, _LEAVE, _SYNC = 8, 11, 12, 13, 14
_ILLEGAL_GENERATION, _UNKNOWN_MEMBER, _REBALANCING = 22, 25, 27
_LOOK_S = 0.05


@dataclass
class _Member:
    id: str
    client: str
    session_s: float
    rebalance_s: float
    protocols: list[tuple[str, bytes]]
    reader: asyncio.StreamReader
    known: bool = False
    syncing: bool = False
    seen: float = field(default_factory=monotonic)
    joined: asyncio.Future[None] | None = None

    @property
    def gone(self) -> bool:
        # One that waits in a join, or for its assignment, says nothing meanwhile. Who never learned
        # its id before its connection broke comes back as another: nobody waits for it (KIP-394).
        cut = self.reader.at_eof() or self.reader.exception() is not None
        patience_s = 0 if cut and not self.known else self.session_s
        waits = self.joined is not None or self.syncing
        return (cut or not waits) and monotonic() - self.seen > patience_s


class _Group:
    """Empty, preparing (waiting for joins), completing (waiting for the leader) or stable."""

    def __init__(self) -> None:
        self.members: dict[str, _Member] = {}
        self.generation = 0
        self.preparing_until: float | None = None
        self.assignments: dict[str, bytes] | None = None
        self.synced = asyncio.Event()

    @property
    def leader(self) -> str:
        return next(iter(self.members), "")

    def prepare(self) -> None:
        if self.preparing_until is None:
            wait = max((it.rebalance_s for it in self.members.values()), default=0.0)
            self.preparing_until = monotonic() + wait
            self.synced.set()  # whoever waits for an assignment learns that it is void
        self.look()

    def look(self) -> None:
        """Throw out who is silent; end the round of joins when all are here or it is late."""
        gone = [it.id for it in self.members.values() if it.gone]
        for name in gone:
            _answer(self.members.pop(name))
        if gone and self.preparing_until is None:
            self.prepare()
        if self.preparing_until is None:
            return
        late = monotonic() > self.preparing_until
        if late:
            self.members = {it.id: it for it in self.members.values() if it.joined}
        if all(it.joined for it in self.members.values()):
            self.preparing_until = None
            self.generation += 1
            self.assignments, self.synced = None, asyncio.Event()
            for member in self.members.values():
                member.seen, member.known = monotonic(), True
                _answer(member)

    def fault(self, member: str, generation: int) -> int:
        if member not in self.members:
            return _UNKNOWN_MEMBER
        self.members[member].seen = monotonic()
        return 0 if generation == self.generation else _ILLEGAL_GENERATION


def _answer(member: _Member) -> None:
    joined, member.joined = member.joined, None
    if joined is not None and not joined.done():
        joined.set_result(None)


class GroupCoordinator(Proxy):
    """An async context manager; clients use its address instead of the broker's."""

    def __init__(self, broker_port: int) -> None:
        super().__init__(broker_port)
        self._groups: dict[str, _Group] = {}
        self._names: dict[asyncio.StreamWriter, str] = {}

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self.spawn(self._watch())
        return self

    def members(self, name: str) -> int:
        """How many members a group has now."""
        return len(self._groups[name].members) if name in self._groups else 0

    def generation(self, name: str) -> int:
        """How many rebalances a group has ended; 0 before the first."""
        return self._groups[name].generation if name in self._groups else 0

    def assigned(self, name: str) -> dict[str, set[int]]:
        """The partitions that each client of a group was given last."""
        found = self._groups.get(name) or _Group()
        return {
            member.client: {
                it.partition for it in ConsumerProtocol.ASSIGNMENT.decode(assignment).partitions()
            }
            for member in found.members.values()
            if (assignment := (found.assignments or {}).get(member.id))
        }

    def cut(self, client: str | None = None) -> int:
        """Break the connections of one client, or of all; they may connect again at once.

        Returns:
            How many.
        """
        chosen = [it for it in self.clients if client in (None, self._names.get(it))]
        for writer in chosen:
            writer.transport.abort()
        return len(chosen)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            for found in self._groups.values():
                found.look()

    async def serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        behind_in: asyncio.StreamReader,
        behind_out: asyncio.StreamWriter,
    ) -> None:
        """See `Proxy.serve`."""
        theirs = b"127.0.0.1" + struct.pack(">i", self.behind)
        ours = b"127.0.0.1" + struct.pack(">i", self.port)
        try:
            # One request at a time, as a broker serves a connection.
            while True:
                request = await frame(reader)
                stream = BytesIO(request)
                key, version, correlation, client = RequestHeader_v1.SCHEMA.decode(stream)
                self._names[writer] = client
                header, body = request[: stream.tell()], stream
                if key in _ANSWERS:
                    answer = struct.pack(">i", correlation)
                    answer += await _ANSWERS[key](self, version, body, client, reader)
                else:
                    if key == _OFFSET_COMMIT:
                        asked = _decode(commit, "OffsetCommitRequest", version, body)
                        if fault := self._commit_fault(asked):
                            refusal = _refusal(version, asked, fault)
                            write(writer, struct.pack(">i", correlation) + refusal)
                            continue
                        request = header + asked.encode()
                    write(behind_out, request)
                    answer = (await frame(behind_in)).replace(theirs, ours)
                write(writer, answer)
                await writer.drain()
        finally:
            self._names.pop(writer, None)

    def _group(self, name: str) -> _Group:
        return self._groups.setdefault(name, _Group())

    async def _join(
        self, version: int, stream: BytesIO, client: str, reader: asyncio.StreamReader
    ) -> bytes:
        asked = _decode(group, "JoinGroupRequest", version, stream)
        found = self._group(asked.group)
        known = found.members.get(asked.member_id)
        if asked.member_id and known is None:
            return _join_answer(version, _UNKNOWN_MEMBER, -1, "", "", asked.member_id, [])
        rebalance_ms = getattr(asked, "rebalance_timeout", asked.session_timeout)
        member = known or _Member(f"m-{uuid4()}", client, 0, 0, [], reader)
        member.reader = reader
        member.session_s, member.rebalance_s = asked.session_timeout / 1000, rebalance_ms / 1000
        member.protocols = list(asked.group_protocols)
        _answer(member)
        member.joined = asyncio.get_running_loop().create_future()
        found.members[member.id] = member
        joined = member.joined
        found.prepare()
        await joined
        if member.id not in found.members:
            return _join_answer(version, _UNKNOWN_MEMBER, -1, "", "", member.id, [])
        protocol = member.protocols[0][0]
        leads = found.leader == member.id
        members = [(it.id, it.protocols[0][1]) for it in found.members.values()] if leads else []
        return _join_answer(
            version, 0, found.generation, protocol, found.leader, member.id, members
        )

    async def _sync(self, version: int, stream: BytesIO, *_: object) -> bytes:
        asked = _decode(group, "SyncGroupRequest", version, stream)
        found = self._group(asked.group)
        fault = found.fault(asked.member_id, asked.generation_id)
        synced = found.synced
        if not fault and found.preparing_until is not None:
            fault = _REBALANCING
        if not fault and asked.member_id == found.leader:
            found.assignments = {entry[0]: entry[-1] for entry in asked.group_assignment}
            synced.set()
        assignment = b""
        if not fault:
            member = found.members[asked.member_id]
            member.syncing = True
            try:
                await synced.wait()
            finally:
                member.syncing, member.seen = False, monotonic()
            if found.generation != asked.generation_id or found.assignments is None:
                fault = _REBALANCING
            else:
                assignment = found.assignments.get(asked.member_id, b"")
        return _encoded(group, "SyncGroupResponse", version, fault, assignment)

    async def _heartbeat(self, version: int, stream: BytesIO, *_: object) -> bytes:
        asked = _decode(group, "HeartbeatRequest", version, stream)
        found = self._group(asked.group)
        fault = found.fault(asked.member_id, asked.generation_id)
        if not fault and found.preparing_until is not None:
            fault = _REBALANCING
        return _encoded(group, "HeartbeatResponse", version, fault)

    async def _leave(self, version: int, stream: BytesIO, *_: object) -> bytes:
        asked = _decode(group, "LeaveGroupRequest", version, stream)
        found = self._group(asked.group)
        fault = 0 if found.members.pop(asked.member_id, None) else _UNKNOWN_MEMBER
        if not fault and found.members:
            found.prepare()
        return _encoded(group, "LeaveGroupResponse", version, fault)

    def _commit_fault(self, asked: Any) -> int:
        found = self._group(asked.consumer_group)
        member, generation = asked.consumer_id, asked.consumer_group_generation_id
        # The broker knows no members; to it this is the commit of a group without any.
        asked.consumer_group_generation_id, asked.consumer_id = -1, ""
        simple = generation < 0 and not found.members
        return 0 if simple else found.fault(member, generation)


_ANSWERS: dict[int, Callable[..., Awaitable[bytes]]] = {
    _JOIN: GroupCoordinator._join,
    _HEARTBEAT: GroupCoordinator._heartbeat,
    _LEAVE: GroupCoordinator._leave,
    _SYNC: GroupCoordinator._sync,
}


def _refusal(version: int, asked: Any, fault: int) -> bytes:
    topics = [(topic, [(entry[0], fault) for entry in entries]) for topic, entries in asked.topics]
    return _encoded(commit, "OffsetCommitResponse", version, topics)


def _decode(module: Any, name: str, version: int, stream: BytesIO) -> Any:
    return getattr(module, f"{name}_v{version}").decode(stream)


def _encoded(module: Any, name: str, version: int, *values: Any) -> bytes:
    made = getattr(module, f"{name}_v{version}")
    throttled = "throttle_time_ms" in made.SCHEMA.names
    encoded: bytes = made(*((0,) if throttled else ()), *values).encode()
    return encoded


def _join_answer(version: int, fault: int, generation: int, *rest: Any) -> bytes:
    protocol, leader, member, members = rest
    if version >= 5:
        members = [(name, None, metadata) for name, metadata in members]
    return _encoded(
        group, "JoinGroupResponse", version, fault, generation, protocol, leader, member, members
    )
