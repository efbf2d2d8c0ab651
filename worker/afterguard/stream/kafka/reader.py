"""A topic read through from its beginning: for those who count and compare, never for the worker.

Joins no group and commits nothing.
"""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import StreamUnavailable, TopicMissing
from afterguard.contracts.records import InputRecord
from afterguard.stream.kafka.admin import topic_states
from afterguard.stream.kafka.connection import put_away, until_it_answers
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.ports import Partition
from afterguard.stream.settings import KafkaSettings

# Large fetches: some brokers report the aborted transactions of small ones wrongly.
_FETCH_BYTES: Final = 64 * 2**20
_PARTITION_BYTES: Final = 16 * 2**20
_POLL_MS: Final = 500

# From the first offset to one before the second, by partition.
Stretches = Mapping[Partition, tuple[int, int]]


async def read_topic(kafka: KafkaSettings, topic: str) -> list[InputRecord]:
    """Every committed record of a topic; see `scan_topic`."""
    found: list[InputRecord] = []
    await scan_topic(kafka, topic, found.append)
    return found


async def scan_topic(
    kafka: KafkaSettings,
    topic: str,
    take: Callable[[InputRecord], None],
    progress: Callable[[int, int], None] = lambda _read, _of: None,
    *,
    unfinished: bool = False,
    between: Stretches | None = None,
) -> None:
    """Hand over every committed record of a topic, from its first to the end as it stands now.

    Args:
        kafka: Where the broker is.
        topic: Its name.
        take: Gets each record, in offset order within its partition.
        progress: Told after each fetch how many offsets are read, and of how many.
        unfinished: Wait for transactions that are open now, and read what was written after they
            began.
        between: Read these stretches alone, whose records are known to be committed.

    Raises:
        TopicMissing: There is no such topic.
        StreamUnavailable: The broker does not answer, or gives nothing more before the end.
    """
    partitions = await partitions_of(kafka, topic)
    # Whoever begins in the middle may be told wrongly what was aborted; see the embedded broker.
    isolation_level = "read_committed" if between is None else "read_uncommitted"
    consumer = await connect_reader(kafka, None, isolation_level=isolation_level)
    try:
        consumer.assign(partitions)
        last = await (
            _very_ends(kafka, partitions) if unfinished else consumer.end_offsets(partitions)
        )
        first, ends = _span(await consumer.beginning_offsets(partitions), last, between)
        for partition, offset in first.items():
            consumer.seek(partition, offset)
        consumer.pause(*(it for it in partitions if ends[it] == first[it]))
        whole = sum(ends.values()) - sum(first.values())
        read, moved_at = 0, monotonic()
        while read < whole:
            for partition, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
                for it in records:
                    if it.offset < ends[partition]:
                        where = Coordinates(topic, partition.partition, it.offset)
                        take(InputRecord(where, it.key, it.value, it.headers, it.timestamp))
            # Positions, and not records: transactions leave offsets that hold none.
            now_read = await _read(consumer, first, ends)
            if now_read > read:
                read, moved_at = now_read, monotonic()
                progress(read, whole)
            elif monotonic() - moved_at > kafka.request_timeout_ms / 1000:
                raise StreamUnavailable(f"topic {topic!r}: nothing comes after {read} of {whole}")
    except UnicodeDecodeError as error:
        raise StreamUnavailable(
            f"topic {topic!r} holds a record with a header name that is not UTF-8, against the "
            "protocol; the client gives no access to what stands behind it"
        ) from error
    except KafkaError as error:
        raise StreamUnavailable(
            f"reading topic {topic!r} failed: {type(error).__name__}"
        ) from error
    finally:
        await put_away(consumer, "reader")


async def committed_offsets(kafka: KafkaSettings, topic: str) -> dict[Partition, int]:
    """The next offset that `kafka.group_id` would read of each partition; 0 before any commit.

    Raises:
        TopicMissing: There is no such topic.
        StreamUnavailable: The broker does not answer.
    """
    partitions = await partitions_of(kafka, topic)
    consumer = await connect_reader(kafka, kafka.group_id)
    try:
        return {
            Partition(topic, it.partition): await consumer.committed(it) or 0 for it in partitions
        }
    except KafkaError as error:
        raise StreamUnavailable(
            f"the offsets of group {kafka.group_id!r} cannot be read: {type(error).__name__}"
        ) from error
    finally:
        await put_away(consumer, "reader")


async def partitions_of(kafka: KafkaSettings, topic: str) -> list[TopicPartition]:
    """All partitions of a topic.

    Raises:
        TopicMissing: There is no such topic.
        StreamUnavailable: The broker does not answer.
    """
    state = (await topic_states(kafka, [topic])).get(topic)
    if state is None:
        raise TopicMissing(f"topic {topic!r} does not exist; `afterguard topics create` makes it")
    return [TopicPartition(topic, number) for number in range(state.partitions)]


async def _read(
    consumer: AIOKafkaConsumer,
    first: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> int:
    positions = {it: await consumer.position(it) for it in consumer.assignment()}
    return sum(min(offset, ends[it]) - first[it] for it, offset in positions.items())


async def _very_ends(
    kafka: KafkaSettings, partitions: list[TopicPartition]
) -> Mapping[TopicPartition, int]:
    # A reader of committed records is told the end of those; beyond it may stand records of
    # transactions that were committed while an earlier one is open.
    consumer = await connect_reader(kafka, None, isolation_level="read_uncommitted")
    try:
        consumer.assign(partitions)
        ends: Mapping[TopicPartition, int] = await consumer.end_offsets(partitions)
        return ends
    finally:
        await put_away(consumer, "reader")


def _span(
    first: Mapping[TopicPartition, int],
    last: Mapping[TopicPartition, int],
    between: Stretches | None,
) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
    """Where to begin and to end in each partition; the same where there is nothing to read."""
    if between is None:
        return first, last
    begins, ends = dict(first), dict(first)
    for partition, (begin, end) in between.items():
        it = TopicPartition(*partition)
        # What stood before the first record that is still there was deleted.
        begins[it] = max(begin, first[it])
        ends[it] = max(min(end, last[it]), begins[it])
    return begins, ends


async def connect_reader(
    kafka: KafkaSettings, group_id: str | None, *, isolation_level: str = "read_committed"
) -> AIOKafkaConsumer:
    """A client that reads where it is told to, and commits nothing.

    Raises:
        StreamUnavailable: The broker does not answer.
    """
    security = security_arguments(kafka)

    async def connect() -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka.bootstrap_servers,
            client_id=f"{kafka.client_id}-reader",
            group_id=group_id,
            enable_auto_commit=False,
            # Records that are deleted under the reader are an error, and no reason to skip others.
            auto_offset_reset="none",
            isolation_level=isolation_level,
            request_timeout_ms=kafka.request_timeout_ms,
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=_PARTITION_BYTES,
            **security,
        )
        try:
            await consumer.start()
        except BaseException:
            await put_away(consumer, "reader")
            raise
        return consumer

    return await until_it_answers(connect, kafka)
