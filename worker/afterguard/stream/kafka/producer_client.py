"""The producer's client: aiokafka's, with every setting that matters named."""

from typing import Any, Final

from aiokafka import AIOKafkaProducer

from afterguard.stream.kafka.connection import put_away, until_it_answers
from afterguard.stream.settings import KafkaSettings

BATCH_BYTES: Final = 256 * 1024
REQUEST_BYTES: Final = 1024 * 1024


async def connected_producer(settings: KafkaSettings, security: dict[str, Any]) -> AIOKafkaProducer:
    """A started, idempotent producer.

    Args:
        settings: Where the broker is.
        security: What aiokafka needs for TLS and SASL.

    Raises:
        StreamUnavailable: No broker answered in time.
        StreamError: A broker refuses us.
    """

    async def connect() -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            bootstrap_servers=settings.bootstrap_servers,
            client_id=settings.client_id,
            acks="all",
            enable_idempotence=True,
            linger_ms=settings.linger_ms,
            compression_type=settings.compression,
            max_batch_size=BATCH_BYTES,
            max_request_size=REQUEST_BYTES,
            request_timeout_ms=settings.request_timeout_ms,
            **security,
        )
        try:
            await producer.start()
        except BaseException:
            await put_away(producer, "producer")
            raise
        return producer

    return await until_it_answers(connect, settings)
