"""Beginnings: where to read a partition whose position is not there, or not there any more.

aiokafka could do this itself and would say nothing. Here nothing is skipped unseen: a group without
a commit begins at the beginning, and records that the broker deleted before we read them are
counted and told.
"""

import asyncio
from enum import Enum, auto

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from afterguard.stream.kafka.consumer_client import state_of
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_ASK_S = 10.0


class Placed(Enum):
    """What became of a partition without a position."""

    READS_ON = auto()
    MOVED_MEANWHILE = auto()
    ENDS_BEFORE_US = auto()


class Beginnings:
    """Gives partitions a position.

    Args:
        metrics: Where records that are gone are counted.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def without_a_commit(
        self, client: AIOKafkaConsumer, partition: TopicPartition
    ) -> int | None:
        """Place a partition of which the group has committed nothing.

        Returns:
            Where it is read from; None when there is a commit after all, or a position.

        Raises:
            KafkaError: The broker refuses to say.
            TimeoutError: It does not answer.
        """
        state = state_of(client, partition)
        async with asyncio.timeout(_ASK_S):
            # Asked again: while it moves its topics, a broker may answer that it knows no commit.
            committed = await client.committed(partition)
            first = (await client.beginning_offsets([partition]))[partition]
        if state is None or state is not state_of(client, partition) or state.has_valid_position:
            return None
        if committed is not None:
            client.seek(partition, committed)
            return None
        client.seek(partition, first)
        _log.info("no commit yet; reading from the beginning", **_place(partition), offset=first)
        return int(first)

    async def out_of_range(
        self, client: AIOKafkaConsumer, partition: TopicPartition, offset: int, *, taken: bool
    ) -> Placed:
        """Place a partition whose broker does not hold our next record.

        Args:
            client: Reads the partition.
            partition: Which.
            offset: Of that record.
            taken: Whether records of this assignment were taken already.

        Raises:
            KafkaError: The broker refuses to say.
            TimeoutError: It does not answer.
        """
        state = state_of(client, partition)
        async with asyncio.timeout(_ASK_S):
            first = (await client.beginning_offsets([partition]))[partition]
            end = (await client.end_offsets([partition]))[partition]
        if state is None or state is not state_of(client, partition) or state.position != offset:
            return Placed.MOVED_MEANWHILE
        if offset < first:
            gone = first - offset
            self._metrics.records_skipped_by_retention.labels(*partition).inc(gone)
            _log.warning(
                "records were deleted before they were read; they are not judged",
                **_place(partition),
                records=gone,
                first_gone=offset,
                reading_from=first,
            )
            client.seek(partition, first)
            return Placed.READS_ON
        if offset <= end:  # a leader that is not up to date yet; the next fetch will tell
            return Placed.READS_ON
        # Cut off, or made anew under its old name. What stands there now was perhaps never read.
        _log.warning(
            "the topic ends before the position of this group; reading it from the beginning",
            **_place(partition),
            position=offset,
            end=end,
            reading_from=first,
        )
        if taken:
            return Placed.ENDS_BEFORE_US
        client.seek(partition, first)
        return Placed.READS_ON


def _place(partition: TopicPartition) -> dict[str, object]:
    return {"topic": partition.topic, "partition": partition.partition}
