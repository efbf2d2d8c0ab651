"""The promise: the rooms that write outputs and let offsets advance, by `delivery.guarantee`."""

from collections.abc import Callable
from typing import NamedTuple

from afterguard.settings import Settings
from afterguard.stream.assignments import Assignments
from afterguard.stream.guarantee import Publishing, Settling
from afterguard.stream.kafka.producer import KafkaProducer
from afterguard.stream.kafka.transactional import KafkaTransactionalProducers
from afterguard.stream.parcels import Parcels
from afterguard.stream.ports import Consumer, Partition, Producer, TransactionalProducer
from afterguard.stream.publish import Publish
from afterguard.stream.settle import Settle
from afterguard.stream.transactional_publish import TransactionalPublish
from afterguard.stream.transactions import Pace, Transactions
from afterguard.telemetry.metrics import Metrics

MakeProducer = Callable[[Partition], TransactionalProducer]


class Rooms(NamedTuple):
    """What differs by the promise; `producer` is None where each partition has one of its own."""

    producer: Producer | None
    publish: Publishing
    settle: Settling


def rooms(
    settings: Settings,
    consumer: Consumer,
    assignments: Assignments,
    parcels: Parcels,
    metrics: Metrics,
    *,
    cast_off: Callable[[], int],
    producer: Producer | None = None,
    transactional: MakeProducer | None = None,
) -> Rooms:
    """The rooms that the settings ask for.

    Args:
        settings: All of them.
        consumer: The log to read from.
        assignments: The partitions that are ours.
        parcels: Makes the records of an event, and counts them.
        metrics: Where producers that are replaced are counted.
        cast_off: Told when events lost their owner, which will be read again.
        producer: Another log than Kafka.
        transactional: Another log than Kafka, under exactly once.

    Raises:
        SettingsError: A file with a certificate or a secret cannot be used.
    """
    delivery, kafka = settings.delivery, settings.kafka
    if delivery.guarantee == "at_least_once":
        producer = producer or KafkaProducer(kafka, metrics=metrics)
        return Rooms(
            producer,
            Publish(producer, parcels),
            Settle(consumer, assignments, interval_s=delivery.commit_interval_s, metrics=metrics),
        )
    decided = TransactionalPublish(parcels, wake_at=delivery.transaction_max_events)
    settle = Transactions(
        consumer,
        # The broker is the more patient one: whom it gives up looks as if fenced.
        transactional
        or KafkaTransactionalProducers(kafka, timeout_s=2 * delivery.transaction_timeout_s),
        assignments,
        decided,
        pace=Pace(
            interval_s=delivery.commit_interval_s,
            max_events=delivery.transaction_max_events,
            limit_s=delivery.transaction_timeout_s,
            heartbeat_s=kafka.heartbeat_interval_ms / 1000,
        ),
        cast_off=cast_off,
    )
    return Rooms(None, decided, settle)
