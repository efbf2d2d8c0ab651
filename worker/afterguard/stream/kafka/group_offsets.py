"""Where a group goes on reading: looked at, and moved while nobody of it reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from afterguard.contracts.errors import StreamError, StreamUnavailable
from afterguard.stream.kafka.admin import group_members
from afterguard.stream.kafka.connection import put_away
from afterguard.stream.kafka.reader import connect_reader, partitions_of
from afterguard.stream.settings import KafkaSettings


class Place(StrEnum):
    """A place that every partition has."""

    BEGINNING = "beginning"
    END = "end"


@dataclass(frozen=True, slots=True)
class GroupPosition:
    """Where a group stands in one partition.

    Attributes:
        partition: Its number.
        first: The first offset that the topic still has.
        end: One past the last.
        committed: The next that the group reads; None before any commit.
        wanted: The next it would read after the move; None when nothing was asked for.
    """

    partition: int
    first: int
    end: int
    committed: int | None
    wanted: int | None = None

    @property
    def position(self) -> int:
        """The next offset that is read: a group without a commit begins at the first."""
        return self.first if self.committed is None else max(self.first, self.committed)

    @property
    def lag(self) -> int:
        """Offsets that are not settled yet."""
        return max(0, self.end - self.position)

    @property
    def again(self) -> int:
        """Offsets that the move would have read a second time."""
        return 0 if self.wanted is None else max(0, self.position - self.wanted)

    @property
    def passed_over(self) -> int:
        """Offsets that would never be judged after the move."""
        return 0 if self.wanted is None else max(0, self.wanted - self.position)


async def group_positions(
    kafka: KafkaSettings, topic: str, to: Place | datetime | None = None
) -> list[GroupPosition]:
    """Where `kafka.group_id` stands in each partition, and where a move would put it.

    Args:
        kafka: Where the broker is, and the group.
        topic: Its input.
        to: Where to; a time means the first record of that time or later. None asks for no move.

    Raises:
        TopicMissing: There is no such topic.
        StreamUnavailable: The broker does not answer.
    """
    partitions = await partitions_of(kafka, topic)
    client = await connect_reader(kafka, kafka.group_id)
    try:
        first = await client.beginning_offsets(partitions)
        ends = await client.end_offsets(partitions)
        wanted = await _wanted(client, partitions, to, first, ends)
        return [
            GroupPosition(
                it.partition, first[it], ends[it], await client.committed(it), wanted.get(it)
            )
            for it in partitions
        ]
    except KafkaError as error:
        raise StreamUnavailable(
            f"the offsets of group {kafka.group_id!r} cannot be read: {type(error).__name__}"
        ) from error
    finally:
        await put_away(client, "offsets")


async def move_group(kafka: KafkaSettings, topic: str, offsets: Mapping[int, int]) -> None:
    """Let `kafka.group_id` go on at these offsets.

    Args:
        kafka: Where the broker is, and the group.
        topic: Its input.
        offsets: The next one to read, by partition.

    Raises:
        StreamError: A worker of the group runs, or the broker refused.
        StreamUnavailable: The broker does not answer.
    """
    if members := await group_members(kafka, kafka.group_id):
        raise StreamError(
            f"workers of group {kafka.group_id!r} run (members: {members}) and would overwrite the "
            "offsets: stop them all first"
        )
    client = await connect_reader(kafka, kafka.group_id)
    try:
        partitions = {TopicPartition(topic, number): it for number, it in offsets.items()}
        client.assign(list(partitions))
        await client.commit(partitions)
    except KafkaError as error:
        raise StreamError(
            f"the offsets of group {kafka.group_id!r} cannot be moved: {type(error).__name__}"
        ) from error
    finally:
        await put_away(client, "offsets")


async def _wanted(
    client: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    to: Place | datetime | None,
    first: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> Mapping[TopicPartition, int]:
    match to:
        case None:
            return {}
        case Place.BEGINNING:
            return first
        case Place.END:
            return ends
        case _:
            at_ms = int(to.timestamp() * 1000)
            found = await client.offsets_for_times(dict.fromkeys(partitions, at_ms))
            # A partition without a record of that time or later has nothing to be read.
            return {it: found[it].offset if found.get(it) else ends[it] for it in partitions}
