"""Outputs, written to Kafka: idempotent, acknowledged by all replicas in sync."""

import asyncio

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from afterguard.contracts.errors import StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.kafka.connection import put_away, until_it_answers
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.settings import KafkaSettings

_BATCH_BYTES = 256 * 1024
_REQUEST_BYTES = 1024 * 1024


class KafkaProducer:
    """See `stream.ports.Producer`."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._security = security_arguments(settings)
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """See `stream.ports.Producer.start`."""
        settings = self._settings

        async def connect() -> AIOKafkaProducer:
            producer = AIOKafkaProducer(
                bootstrap_servers=settings.bootstrap_servers,
                client_id=settings.client_id,
                acks="all",
                enable_idempotence=True,
                linger_ms=settings.linger_ms,
                compression_type=settings.compression,
                max_batch_size=_BATCH_BYTES,
                max_request_size=_REQUEST_BYTES,
                request_timeout_ms=settings.request_timeout_ms,
                **self._security,
            )
            try:
                await producer.start()
            except BaseException:
                await put_away(producer, "producer")
                raise
            return producer

        self._producer = await until_it_answers(connect, settings)

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """See `stream.ports.Producer.send`."""
        try:
            future: asyncio.Future[object] = await self._started.send(
                record.topic,
                record.value,
                record.key,
                record.partition,
                headers=list(record.headers),
            )
        except (KafkaError, ValueError, AssertionError) as error:
            # aiokafka tells some refusals at once and some through the future; we have one way.
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
        return future

    async def flush(self) -> None:
        """See `stream.ports.Producer.flush`."""
        await self._started.flush()

    async def stop(self) -> None:
        """See `stream.ports.Producer.stop`."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await put_away(producer, "producer")

    @property
    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise StreamUnavailable("the producer is not started")
        return self._producer
