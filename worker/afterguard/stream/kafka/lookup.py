"""Records at known places of a topic: for those who want to see a few of many."""

from collections.abc import Iterable
from typing import Final

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import StreamUnavailable
from afterguard.contracts.records import InputRecord
from afterguard.stream.kafka.connection import put_away
from afterguard.stream.kafka.reader import connect_reader
from afterguard.stream.settings import KafkaSettings

_WAIT_MS: Final = 5_000


async def look_up(
    kafka: KafkaSettings, places: Iterable[Coordinates]
) -> dict[Coordinates, InputRecord]:
    """The records at these places; those that were deleted since are left out.

    Args:
        kafka: Where the broker is.
        places: Of records that are known to be committed.

    Raises:
        StreamUnavailable: The broker does not answer.
    """
    found: dict[Coordinates, InputRecord] = {}
    # Known to be committed, so nothing need be known of what was aborted around them.
    consumer = await connect_reader(kafka, None, isolation_level="read_uncommitted")
    try:
        for place in sorted(set(places)):
            partition = TopicPartition(place.topic, place.partition)
            consumer.assign([partition])
            consumer.seek(partition, place.offset)
            try:
                got = await consumer.getmany(partition, timeout_ms=_WAIT_MS, max_records=1)
            except OffsetOutOfRangeError:
                continue
            for it in got.get(partition, ()):
                if it.offset == place.offset:
                    found[place] = InputRecord(place, it.key, it.value, it.headers, it.timestamp)
    except KafkaError as error:
        raise StreamUnavailable(f"looking up records failed: {type(error).__name__}") from error
    finally:
        await put_away(consumer, "reader")
    return found
