"""One transaction: what is broken, refused or hangs at any call leaves nothing that counts."""

import asyncio
from typing import Any

import pytest

from afterguard.contracts.errors import Fenced, PublishFailed, StreamError, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream import transaction
from afterguard.stream.ports import Partition
from afterguard.stream.transaction import transact

ONE = Partition("chat.events", 0)
RECORDS = [OutputRecord("moderation.audit", b"k", value) for value in (b"a", b"b", b"c")]
CALLS = ["begin", "send", "send_offset", "commit"]
HANGS = "hangs"


class Scripted:
    """A producer that does at each call what the script says, and writes down what it was asked."""

    def __init__(self, **script: Any) -> None:
        self._script, self.asked = script, list[str]()

    async def _do(self, call: str) -> None:
        self.asked.append(call)
        match self._script.get(call):
            case Exception() as error:
                raise error
            case "hangs":
                await asyncio.Event().wait()

    async def start(self) -> None:
        await self._do("start")

    async def begin(self) -> None:
        await self._do("begin")

    async def send(self, record: OutputRecord) -> "asyncio.Future[object]":
        await self._do("send")
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        match self._script.get(f"record {record.value!r}"):
            case Exception() as error:
                future.set_exception(error)
            case None:
                future.set_result(None)
        return future

    async def send_offset(self, partition: Partition, offset: int) -> None:
        await self._do("send_offset")

    async def commit(self) -> None:
        await self._do("commit")

    async def abort(self) -> None:
        await self._do("abort")

    async def stop(self) -> None:
        await self._do("stop")


async def told(producer: Scripted, limit_s: float = 5.0) -> type[BaseException]:
    with pytest.raises(StreamError) as raised:
        await transact(producer, RECORDS, (ONE, 3), limit_s=limit_s)
    return raised.type


async def test_the_offset_is_sent_after_every_record_was_looked_at() -> None:
    producer = Scripted()
    await transact(producer, RECORDS, (ONE, 3), limit_s=5.0)
    assert producer.asked == ["begin", "send", "send", "send", "send_offset", "commit"]


@pytest.mark.parametrize("call", ["begin", "send", "send_offset"])
async def test_a_fault_before_the_commit_aborts(call: str) -> None:
    producer = Scripted(**{call: StreamUnavailable("away")})
    assert await told(producer) is StreamUnavailable
    assert producer.asked[-1] == "abort"
    assert "commit" not in producer.asked


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_that_never_ends_is_given_up(call: str) -> None:
    assert await told(Scripted(**{call: HANGS}), limit_s=0.05) is StreamUnavailable


async def test_a_record_that_is_never_acknowledged_is_given_up() -> None:
    producer = Scripted(**{f"record {b'b'!r}": HANGS})
    assert await told(producer, limit_s=0.05) is StreamUnavailable
    assert producer.asked[-1] == "abort"


async def test_a_commit_of_unknown_outcome_is_neither_repeated_nor_aborted() -> None:
    producer = Scripted(commit=StreamUnavailable("the answer was lost"))
    assert await told(producer) is StreamUnavailable
    assert producer.asked[-1] == "commit"


@pytest.mark.parametrize("call", CALLS)
async def test_after_a_fence_nothing_more_is_asked(call: str) -> None:
    producer = Scripted(**{call: Fenced("overtaken")})
    assert await told(producer) is Fenced
    assert producer.asked[-1] == call


async def test_a_fence_is_told_before_a_refusal_and_a_refusal_before_what_follows_from_it() -> None:
    refused = {f"record {b'b'!r}": PublishFailed("too large")}
    follows = {f"record {b'c'!r}": StreamUnavailable("OutOfOrderSequenceNumber")}
    fenced = {f"record {b'a'!r}": Fenced("overtaken")}
    assert await told(Scripted(**refused, **follows)) is PublishFailed
    assert await told(Scripted(**fenced, **refused, **follows)) is Fenced


async def test_an_abort_that_hangs_does_not_hide_the_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transaction, "_ABORT_S", 0.02)
    producer = Scripted(send_offset=StreamUnavailable("away"), abort=HANGS)
    assert await told(producer) is StreamUnavailable


async def test_who_is_cancelled_in_the_middle_aborts() -> None:
    producer = Scripted(send_offset=HANGS)
    writing = asyncio.create_task(transact(producer, RECORDS, (ONE, 3), limit_s=5.0))
    while "send_offset" not in producer.asked:
        await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert producer.asked[-1] == "abort"
