"""Assignors: the sticky one without its two defects (aiokafka issues 1175 and 1176)."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.coordinator.protocol import (
    ConsumerProtocolMemberAssignment,
    ConsumerProtocolMemberMetadata,
)
from hypothesis import given
from hypothesis import strategies as st
from tests.mock_cluster import QUICK_GROUP, MockCluster
from tests.stream.logs import Listening

from afterguard.stream.kafka.assignors import AssignorName, assignor
from afterguard.stream.kafka.consumer import KafkaConsumer

TOPIC = "t"
PARTITIONS = 6
WAIT_S = 40.0


class OneTopic:
    """The metadata of a cluster with one topic, as far as an assignor asks."""

    def __init__(self, partitions: int) -> None:
        self._partitions = set(range(partitions))

    def topics(self) -> set[str]:
        return {TOPIC}

    def partitions_for_topic(self, topic: str) -> set[int]:
        return self._partitions


def member(generation: int, owned: list[int]) -> Any:
    """The assignor of a member that was dealt out these partitions in that generation."""
    made = assignor("sticky", lambda: generation)
    made.on_assignment(ConsumerProtocolMemberAssignment(0, [(TOPIC, owned)], b""))
    return made


def claims(made: Any) -> ConsumerProtocolMemberMetadata:
    """What a member says of itself when it joins, once over the wire."""
    said = made.metadata([TOPIC]).encode()
    return ConsumerProtocolMemberMetadata.decode(said)


def dealt_out(members: Mapping[str, Any], partitions: int) -> dict[str, set[int]]:
    leader = next(iter(members.values()))
    said = {name: claims(made) for name, made in members.items()}
    given = leader.assign(OneTopic(partitions), said)
    return {
        name: {number for _, numbers in it.assignment for number in numbers}
        for name, it in given.items()
    }


def test_members_of_one_process_do_not_take_each_other_s_state() -> None:
    one, other = member(3, [0, 1]), member(4, [2])
    assert [it.partition for it in one.member_assignment] == [0, 1]
    assert [it.partition for it in other.member_assignment] == [2]
    assert (one.generation, other.generation) == (3, 4)
    assert StickyPartitionAssignor.member_assignment is None
    assert StickyPartitionAssignor.generation == -1


def test_a_member_claims_what_it_owns_for_the_generation_it_was_dealt_out_in() -> None:
    said = StickyPartitionAssignor.parse_member_metadata(claims(member(7, [1, 4])))
    assert [it.partition for it in said.partitions] == [1, 4]
    assert said.generation == 7


@given(
    stale=st.integers(1, 50),
    newer=st.integers(1, 50),
    slept_first=st.booleans(),
)
def test_who_slept_through_a_rebalance_does_not_take_from_the_present_owner(
    stale: int, newer: int, *, slept_first: bool
) -> None:
    sleeper, owner = member(stale, [0, 1, 2]), member(stale + newer, [0, 1, 2])
    names = ("a", "b") if slept_first else ("b", "a")
    members = dict(sorted({names[0]: sleeper, names[1]: owner}.items()))
    assert dealt_out(members, PARTITIONS)[names[1]] == {0, 1, 2}


@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.integers(1, 12))
def test_every_partition_has_one_owner_and_the_shares_are_even(
    generations: list[int], partitions: int
) -> None:
    claimed = list(range(partitions))
    members = {f"m{n}": member(it, claimed) for n, it in enumerate(generations)}
    shares = list(dealt_out(members, partitions).values())
    assert sorted(number for share in shares for number in share) == claimed
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("name", ["round_robin", "range", "sticky"])
def test_each_name_stands_for_the_assignor_that_others_know_by_it(name: AssignorName) -> None:
    assert assignor(name, lambda: 1).name == name.replace("_", "")


@pytest.fixture
def cluster() -> Iterator[MockCluster]:
    with MockCluster() as brokers:
        brokers.topic(TOPIC, PARTITIONS)
        yield brokers


@asynccontextmanager
async def membership(cluster: MockCluster) -> AsyncIterator[tuple[KafkaConsumer, Listening]]:
    settings = cluster.broker.settings(group_id="g", assignor="sticky", **QUICK_GROUP)
    consumer, listening = KafkaConsumer(settings, TOPIC), Listening()
    await consumer.start(listening)
    polling = asyncio.create_task(poll(consumer))
    try:
        yield consumer, listening
    finally:
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        await consumer.stop()


async def poll(consumer: KafkaConsumer) -> None:
    while True:
        await consumer.take(10, 0.1)


async def shares(*members: tuple[KafkaConsumer, Listening], most: int) -> list[set[int]]:
    """Wait until all partitions are dealt out and nobody has more than this."""
    async with asyncio.timeout(WAIT_S):
        while True:
            owned = [set(it.owned) for _, it in members]
            whole = sorted(number for share in owned for number in share)
            if whole == list(range(PARTITIONS)) and max(map(len, owned)) <= most:
                return owned
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_three_members_of_one_process_keep_what_they_had_when_one_leaves(
    cluster: MockCluster, expected_errors: list[str]
) -> None:
    async with membership(cluster) as one, membership(cluster) as two:
        await shares(one, two, most=3)
        async with membership(cluster) as three:
            before = await shares(one, two, three, most=2)
            kept_by_others = before[:2]
        after = await shares(one, two, most=3)
        assert all(had <= has for had, has in zip(kept_by_others, after, strict=True))
        for consumer, _ in (one, two):
            client: Any = consumer._consumer
            (own,) = client._partition_assignment_strategy
            assert own.generation == client._coordinator.generation > 0
