"""An onlooker: reads topics from offset 0, with nothing of the worker's own code but its types."""

from aiokafka import AIOKafkaConsumer, TopicPartition

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.records import InputRecord


async def read_topic(bootstrap_servers: str, topic: str) -> list[InputRecord]:
    """Every record of a topic, partition by partition, to the end as it stands now."""
    onlooker = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        isolation_level="read_committed",
        # And no seek: aiokafka may have begun to look for the latest offset by then, and finds it
        # after the seek.
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=16 * 2**20,
        fetch_max_bytes=64 * 2**20,
    )
    await onlooker.start()
    try:
        partitions = await partitions_of(onlooker, topic)
        if not partitions:
            return []
        onlooker.assign(partitions)
        ends = await onlooker.end_offsets(partitions)
        found: list[InputRecord] = []
        while any([await onlooker.position(it) < ends[it] for it in partitions]):
            for where, records in (await onlooker.getmany(timeout_ms=500)).items():
                found += [
                    InputRecord(
                        Coordinates(topic, where.partition, it.offset),
                        it.key,
                        it.value,
                        tuple(it.headers),
                        it.timestamp,
                    )
                    for it in records
                ]
        return sorted(found, key=lambda record: record.coordinates)
    finally:
        await onlooker.stop()


async def committed(bootstrap_servers: str, group: str, topic: str) -> dict[int, int]:
    """The next offset to read of each partition that the group has committed."""
    onlooker = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await onlooker.start()
    try:
        partitions = await partitions_of(onlooker, topic)
        if not partitions:
            return {}
        onlooker.assign(partitions)
        offsets = {it.partition: await onlooker.committed(it) for it in partitions}
        return {number: offset for number, offset in offsets.items() if offset is not None}
    finally:
        await onlooker.stop()


async def partitions_of(onlooker: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    """The partitions of a topic; none when there is no such topic."""
    if not onlooker.partitions_for_topic(topic):
        # Some brokers tell a client that asked for no topic about none.
        await onlooker._client.set_topics([topic])
    numbers = sorted(onlooker.partitions_for_topic(topic) or ())
    return [TopicPartition(topic, number) for number in numbers]
