"""Outputs and one offset together: a transactional producer of Kafka.

aiokafka tells the same fault in many ways. A fence at a request of the transaction raises
`ProducerFenced` and leaves a state in which every further call is an `AssertionError`; a fence at
a record is told to that record's future alone, and a commit may be asked for as if nothing had
happened. Here each becomes the one error that the port names.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from afterguard.contracts.errors import Fenced, PublishFailed, StreamError, StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.kafka.connection import put_away
from afterguard.stream.kafka.producer_client import BATCH_BYTES, REQUEST_BYTES
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.ports import Partition
from afterguard.stream.settings import KafkaSettings

_REFUSED: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidTopicError,
    TopicAuthorizationFailedError,
    ValueError,
    TypeError,
)

Answer = TypeVar("Answer")


def transactional_id(group_id: str, partition: Partition) -> str:
    """The name under which any worker writes for this partition; the log fences by it."""
    return f"{group_id}.{partition.topic}.{partition.number}"


class KafkaTransactionalProducers:
    """Makes one for each assignment of a partition.

    Args:
        settings: Where the broker is, and the group whose offset advances.
        timeout_s: After so long the broker ends an open transaction by itself, seconds.

    Raises:
        SettingsError: A file with a certificate or a secret cannot be used.
    """

    def __init__(self, settings: KafkaSettings, *, timeout_s: float) -> None:
        self._settings, self._timeout_s = settings, timeout_s
        self._security = security_arguments(settings)

    def __call__(self, partition: Partition) -> "KafkaTransactionalProducer":
        """A producer that is not started yet."""
        arguments = {
            "transactional_id": transactional_id(self._settings.group_id, partition),
            "transaction_timeout_ms": round(self._timeout_s * 1000),
            **self._security,
        }
        return KafkaTransactionalProducer(self._settings, arguments)


class KafkaTransactionalProducer:
    """See `stream.ports.TransactionalProducer`. Made by `KafkaTransactionalProducers`."""

    def __init__(self, settings: KafkaSettings, arguments: Mapping[str, Any]) -> None:
        self._settings, self._arguments = settings, arguments
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """See `stream.ports.TransactionalProducer.start`."""
        settings = self._settings
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers,
            client_id=settings.client_id,
            acks="all",
            enable_idempotence=True,
            # All records of a transaction are handed over at once, so none waits for another.
            linger_ms=0,
            compression_type=settings.compression,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=settings.request_timeout_ms,
            **self._arguments,
        )
        # Kept before it is started: one that is dropped without `stop` leaks its connections.
        self._producer = producer
        await _told(producer.start())

    async def begin(self) -> None:
        """See `stream.ports.TransactionalProducer.begin`."""
        await _told(self._started.begin_transaction())

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """See `stream.ports.TransactionalProducer.send`."""
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        try:
            sent: asyncio.Future[object] = await self._started.send(
                record.topic,
                record.value,
                record.key,
                record.partition,
                headers=list(record.headers),
            )
        except (KafkaError, ValueError, TypeError, AssertionError) as error:
            # aiokafka tells some refusals at once and some through the future; we have one way.
            future.set_exception(_fault(error))
            return future

        def told(_: "asyncio.Future[object]") -> None:
            if sent.cancelled():
                future.cancel()
            elif not future.done():
                error = sent.exception()
                if error is None:
                    future.set_result(sent.result())
                else:
                    future.set_exception(_fault(error))

        sent.add_done_callback(told)
        return future

    async def send_offset(self, partition: Partition, offset: int) -> None:
        """See `stream.ports.TransactionalProducer.send_offset`."""
        offsets = {TopicPartition(*partition): offset}
        await _told(self._started.send_offsets_to_transaction(offsets, self._settings.group_id))

    async def commit(self) -> None:
        """See `stream.ports.TransactionalProducer.commit`."""
        await _told(self._started.commit_transaction())

    async def abort(self) -> None:
        """See `stream.ports.TransactionalProducer.abort`."""
        await _told(self._started.abort_transaction())

    async def stop(self) -> None:
        """See `stream.ports.TransactionalProducer.stop`."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await put_away(producer, "transactional producer")

    @property
    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise StreamUnavailable("the transactional producer is not started")
        return self._producer


async def _told(call: Awaitable[Answer]) -> Answer:
    try:
        return await call
    except (KafkaError, OSError, AssertionError) as error:
        raise _fault(error) from error


def _fault(error: BaseException) -> StreamError:
    """The error of the port; its text names the kind alone."""
    kind = type(error).__name__
    match error:
        case ProducerFenced() | InvalidProducerEpoch() | AssertionError():
            return Fenced(
                f"another worker was started for this partition ({kind}); what it had written and "
                "not committed does not count"
            )
        case TransactionalIdAuthorizationFailed():
            return StreamError("the broker refuses this client's transactional id: see its ACLs")
        case error if isinstance(error, _REFUSED):
            return PublishFailed(f"the broker refused an output ({kind})")
    return StreamUnavailable(f"a transaction could not go on: {kind}")
