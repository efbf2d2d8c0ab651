"""Outputs, written to Kafka: idempotent, acknowledged by all replicas in sync."""

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from afterguard.contracts.errors import StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.stream.kafka.connection import until_it_answers
from afterguard.stream.settings import KafkaSettings

_log = structlog.get_logger(__name__)

_STOP_S = 10.0
_BATCH_BYTES = 256 * 1024
_REQUEST_BYTES = 1024 * 1024


class KafkaProducer:
    """See `stream.ports.Producer`."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
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
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
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
        if producer is None:
            return
        try:
            async with asyncio.timeout(_STOP_S):
                await producer.stop()
        except (TimeoutError, KafkaError) as error:
            _log.warning("the producer did not end in time", error=type(error).__name__)

    @property
    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise StreamUnavailable("the producer is not started")
        return self._producer
