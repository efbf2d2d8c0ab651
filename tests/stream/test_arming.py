"""Arming: pause, fence, only then read the committed offset, go there, resume."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tests.stream.faulty import FaultyCommits

from afterguard.contracts.errors import Fenced, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.arming import Arming
from afterguard.stream.endings import Endings
from afterguard.stream.ports import Partition, TransactionalProducer

ONE, OTHER = Partition("chat.events", 0), Partition("chat.events", 1)


class Told:
    """A consumer and its producers, which write down what they are asked, in order."""

    def __init__(self, committed: int | None = 7) -> None:
        self.steps: list[str] = []
        self.faults: list[Exception | str] = []
        self.offset = committed
        self.unarmed: list[Exception] = []
        self.refused: list[Exception] = []
        self.consumer = _Consumer(self)
        self.endings = Endings()
        self.arming = Arming(
            self.consumer, lambda _: _Producer(self), self.endings, limit_s=0.2, sleep=_soon
        )

    def begin(self, *partitions: Partition) -> None:
        self.arming.begin(partitions or [ONE], self._armed, self._unarmed)

    async def ended(self) -> None:
        async with asyncio.timeout(5):
            await self.arming.given_up()
            await self.endings.ended()

    def _armed(self, partition: Partition, producer: TransactionalProducer, offset: int) -> None:
        self.steps.append(f"armed at {offset}")

    def _unarmed(self, partition: Partition, error: Exception) -> None:
        self.unarmed.append(error)


class _Consumer(FaultyCommits):
    def __init__(self, told: Told) -> None:
        super().__init__(True)
        self._told = told

    def pause(self, partitions: Sequence[Partition] | None = None) -> None:
        self._told.steps.append("pause")

    def resume(self, partitions: Sequence[Partition] | None = None) -> None:
        self._told.steps.append("resume")

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        self._told.steps.append("committed")
        await asyncio.sleep(0)
        return dict.fromkeys(partitions, self._told.offset)

    async def beginnings(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        return dict.fromkeys(partitions, 3)

    def seek(self, partition: Partition, offset: int) -> None:
        self._told.steps.append(f"seek {offset}")


class _Producer:
    def __init__(self, told: Told) -> None:
        self._told = told

    async def start(self) -> None:
        self._told.steps.append("start")
        await asyncio.sleep(0)
        fault = self._told.faults.pop(0) if self._told.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault is not None:
            await asyncio.Event().wait()
        self._told.steps.append("fenced the others")

    async def stop(self) -> None:
        self._told.steps.append("stop")

    async def begin(self) -> None:
        self._told.steps.append("begin")

    async def send(self, record: OutputRecord) -> Any: ...

    async def send_offset(self, partition: Partition, offset: int) -> None:
        self._told.steps.append(f"offset {offset}")

    async def commit(self) -> None:
        await asyncio.sleep(0)
        if self._told.refused:
            raise self._told.refused.pop()
        self._told.steps.append("commit")

    async def abort(self) -> None: ...


async def _soon(_: float) -> None:
    await asyncio.sleep(0)


async def test_the_committed_offset_is_read_only_after_the_fence() -> None:
    told = Told()
    told.begin()
    assert told.steps == ["pause"], "before anything is awaited"
    await told.ended()
    assert told.steps == [
        "pause",
        "start",
        "fenced the others",
        "committed",
        "seek 7",
        "armed at 7",
        "resume",
    ]


async def test_without_a_commit_the_beginning_is_committed_before_it_is_read() -> None:
    told = Told(committed=None)
    told.begin()
    await told.ended()
    assert told.steps == [
        "pause",
        "start",
        "fenced the others",
        "committed",
        "begin",
        "offset 3",
        "commit",
        "seek 3",
        "armed at 3",
        "resume",
    ]


async def test_a_beginning_that_could_not_be_committed_is_asked_for_by_a_new_producer() -> None:
    told = Told(committed=None)
    told.refused = [StreamUnavailable("away")]
    told.begin()
    await told.ended()
    assert (told.steps.count("start"), told.steps.count("committed")) == (2, 2)
    assert told.steps[-3:] == ["seek 3", "armed at 3", "resume"]


async def test_who_is_fenced_while_it_commits_the_beginning_reads_nothing() -> None:
    told = Told(committed=None)
    told.refused = [overtaken := Fenced("overtaken")]
    told.begin()
    await told.ended()
    assert told.unarmed == [overtaken]
    assert not [it for it in told.steps if it.startswith("seek")]


async def test_partitions_are_armed_beside_each_other() -> None:
    told = Told()
    told.begin(ONE, OTHER)
    await told.ended()
    assert told.steps[1:3] == ["start", "start"]


@pytest.mark.parametrize("steps", range(6))
async def test_an_assignment_that_ends_meanwhile_arms_nothing_and_leaves_nothing(
    steps: int,
) -> None:
    told = Told()
    told.begin()
    for _ in range(steps):
        await asyncio.sleep(0)
    told.arming.give_up()
    await told.ended()
    armed = [it for it in told.steps if it.startswith("armed")]
    assert armed == [] or told.steps[-1] == "resume"
    assert told.steps.count("stop") == told.steps.count("start") - len(armed)


@pytest.mark.parametrize("fault", [StreamUnavailable("away"), "hangs"])
async def test_a_broker_that_does_not_answer_is_asked_again_by_a_new_producer(
    fault: Exception | str,
) -> None:
    told = Told()
    told.faults = [fault]
    told.begin()
    await told.ended()
    assert told.steps.count("start") == 2
    assert told.steps.index("stop") < len(told.steps) - told.steps[::-1].index("start")
    assert told.steps[-1] == "resume"


async def test_a_broker_that_never_answers_is_told_in_the_end() -> None:
    told = Told()
    told.faults = [StreamUnavailable("away")] * 100
    told.begin()
    await told.ended()
    assert [type(it) for it in told.unarmed] == [StreamUnavailable]
    assert "resume" not in told.steps
    assert told.steps.count("start") == told.steps.count("stop")


@pytest.mark.parametrize("fault", [Fenced("overtaken"), KeyError("nobody foresaw it")])
async def test_who_is_fenced_while_it_arms_does_not_try_again(fault: Exception) -> None:
    told = Told()
    told.faults = [fault]
    told.begin()
    await told.ended()
    assert told.unarmed == [fault]
    assert told.steps.count("start") == 1
