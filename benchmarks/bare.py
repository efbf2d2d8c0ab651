"""The bare loop: aiokafka in, the same pydantic models decoded and encoded, aiokafka out.

Run as a process of its own. Does what nobody could leave out: decode,
id, verdict, encode, idempotent send, commit for each batch. It judges nothing, orders nothing and
checks no acknowledgement one by one.
"""

import sys
from datetime import UTC, datetime

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from afterguard.contracts.codec import decode_event, encode
from afterguard.contracts.coordinates import Coordinates, verdict_id
from afterguard.contracts.records import InputRecord
from afterguard.contracts.verdicts import AuditRecord, Timings
from afterguard.contracts.words import Effort, Outcome
from benchmarks.child import Figures, StopWatch, tell


async def run(bootstrap_servers: str, source: str, sink: str, group: str, events: int) -> Figures:
    """From the first batch to the last acknowledgement."""
    consumer = AIOKafkaConsumer(
        source,
        bootstrap_servers=bootstrap_servers,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=16 * 2**20,
        max_partition_fetch_bytes=2 * 2**20,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=5,
        max_batch_size=256 * 1024,
    )
    await consumer.start()
    await producer.start()
    done, watch = 0, None
    try:
        while done < events:
            batches = await consumer.getmany(timeout_ms=500, max_records=1000)
            watch = watch or (StopWatch() if batches else None)
            for records in batches.values():
                for record in records:
                    value = encode(_verdict(record))
                    await producer.send(sink, value, key=record.key)
                done += len(records)
            await consumer.commit()
        await producer.flush()
        assert watch is not None
        return watch.figures(events)
    finally:
        await producer.stop()
        await consumer.stop()


def _verdict(record: object) -> AuditRecord:
    coordinates = Coordinates(record.topic, record.partition, record.offset)  # type: ignore[attr-defined]
    event = decode_event(
        InputRecord(coordinates, record.key, record.value),  # type: ignore[attr-defined]
        max_bytes=1_000_000,
    )
    now = datetime.now(UTC)
    return AuditRecord(
        verdict_id=verdict_id(coordinates, "bench", "0" * 16),
        event_id=event.event_id,
        conversation_id=event.conversation_id,
        topic=coordinates.topic,
        partition=coordinates.partition,
        offset=coordinates.offset,
        policy_id="bench",
        policy_version="0" * 16,
        outcome=Outcome.NO_VIOLATION,
        effort=Effort.LOW,
        stages=["low"],
        engine="null",
        model="null",
        attempts=1,
        timings=Timings(
            received_at=now, published_at=now, queued_ms=0, judging_ms=0, event_to_publish_ms=0
        ),
    )


if __name__ == "__main__":
    servers, source, sink, group, count = sys.argv[1:]
    tell(uvloop.run(run(servers, source, sink, group, int(count))))
