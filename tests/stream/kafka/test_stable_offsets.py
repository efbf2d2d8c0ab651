"""Committed offsets are read past no open transaction, where the broker can be asked so.

The embedded broker answers the request and ignores what it asks, so what follows from "not stable
yet" is shown with answers written here.
"""

from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError

from afterguard.stream.kafka.stable_offsets import StableOffsetFetch, stable_offsets
from afterguard.stream.ports import Partition

ONE, OTHER = Partition("chat.events", 0), Partition("chat.events", 1)
UNSTABLE, LOADING, NOT_COORDINATOR = 88, 14, 16


class Answer:
    """An answer of version 7."""

    error_code = 0

    def __init__(self, **numbers: tuple[int, int]) -> None:
        self.topics: list[Any] = [
            (
                ONE.topic,
                [(int(n[1:]), offset, 0, "", code, {}) for n, (offset, code) in numbers.items()],
                {},
            )
        ]


class Coordinator:
    """A consumer whose coordinator answers as scripted; it writes down what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.asked: list[StableOffsetFetch] = []
        self.lookups = 0
        self.coordinator_id: int | None = 1
        self._client = self._coordinator = self

    async def ensure_coordinator_known(self) -> None:
        if self.coordinator_id is None:
            self.lookups += 1
            self.coordinator_id = 1

    def coordinator_dead(self) -> None:
        self.coordinator_id = None

    async def send(self, node: int, request: StableOffsetFetch, *, group: Any) -> Answer:
        self.asked.append(request)
        return self._answers.pop(0)


async def test_what_is_not_stable_yet_is_asked_again_alone() -> None:
    broker = Coordinator(
        Answer(p0=(5, 0), p1=(-1, UNSTABLE)), Answer(p1=(-1, LOADING)), Answer(p1=(9, 0))
    )
    assert await stable_offsets(broker, "g", [ONE, OTHER]) == {ONE: 5, OTHER: 9}
    assert [it._numbers for it in broker.asked] == [
        {ONE.topic: [0, 1]},
        {ONE.topic: [1]},
        {ONE.topic: [1]},
    ]


async def test_no_commit_is_none_and_not_an_offset() -> None:
    assert await stable_offsets(Coordinator(Answer(p0=(-1, 0))), "g", [ONE]) == {ONE: None}


async def test_a_coordinator_that_moved_is_looked_up() -> None:
    broker = Coordinator(Answer(p0=(-1, NOT_COORDINATOR)), Answer(p0=(3, 0)))
    assert await stable_offsets(broker, "g", [ONE]) == {ONE: 3}
    assert broker.lookups == 1


async def test_a_refusal_is_told() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await stable_offsets(Coordinator(Answer(p0=(-1, 30))), "g", [ONE])


@pytest.mark.parametrize(("newest", "version"), [(3, 3), (6, 3), (7, 7), (9, 7)])
def test_stable_offsets_are_asked_for_where_the_broker_knows_them(
    newest: int, version: int
) -> None:
    request = StableOffsetFetch("g", [ONE, OTHER]).prepare({9: (1, newest)})
    spoken = request.API_VERSION
    assert spoken == version
    assert request.encode()
    assert getattr(request, "require_stable", version < 7)
