"""Outputs, written to Kafka: idempotent, acknowledged by all replicas in sync.

An idempotent producer numbers what it sends. After some faults its numbers no longer fit those of
the broker, and everything it sends from then on is refused. It is replaced then, and what was not
acknowledged is sent again in the same order: some of it may stand in the log twice, under the same
ids, as at-least-once allows; none of it is missing.
"""

import asyncio
from functools import partial
from time import monotonic

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    KafkaError,
    KafkaTimeoutError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)

from afterguard.contracts.errors import StreamUnavailable
from afterguard.contracts.records import OutputRecord
from afterguard.delivery.allowance import Allowance
from afterguard.stream.kafka.connection import put_away
from afterguard.stream.kafka.producer_client import connected_producer
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.settings import KafkaSettings
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_REPLACEMENTS, _WITHIN_S = 5, 600.0
_NUMBERS_DO_NOT_FIT = (
    InvalidProducerEpoch,
    InvalidProducerIdMapping,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    UnknownProducerId,
)
_GIVEN_UP = StreamUnavailable("the client gave an output up")


class KafkaProducer:
    """See `stream.ports.Producer`.

    Args:
        settings: Where the broker is.
        metrics: Where replacements are counted.
    """

    def __init__(self, settings: KafkaSettings, *, metrics: Metrics | None = None) -> None:
        self._settings = settings
        self._security = security_arguments(settings)
        self._metrics = metrics or Metrics()
        self._producer: AIOKafkaProducer | None = None
        self._replacements = Allowance(_REPLACEMENTS, _WITHIN_S)
        # In the order they were handed over.
        self._unacknowledged: dict[asyncio.Future[object], OutputRecord] = {}
        self._fault: BaseException | None = None
        self._replacing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """See `stream.ports.Producer.start`."""
        self._producer = await connected_producer(self._settings, self._security)

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        """See `stream.ports.Producer.send`."""
        while self._replacing is not None:
            await asyncio.wait({self._replacing})
        client = self._started
        acknowledged: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if self._fault is not None:
            acknowledged.set_exception(self._fault)
            return acknowledged
        self._unacknowledged[acknowledged] = record
        await self._hand_over(client, record, acknowledged)
        return acknowledged

    async def _hand_over(
        self, client: AIOKafkaProducer, record: OutputRecord, acknowledged: asyncio.Future[object]
    ) -> None:
        give_up_at = monotonic() + self._settings.away_timeout_s
        while self._serving(client):
            try:
                told: asyncio.Future[object] = await client.send(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    headers=list(record.headers),
                )
            except (KafkaError, ValueError, AssertionError) as error:
                # The buffer is full still: the broker is slow or away, and nothing is refused.
                if isinstance(error, KafkaTimeoutError) and monotonic() < give_up_at:
                    continue
                # aiokafka tells some refusals at once and some through the future; we have one way.
                self._refused(client, acknowledged, error)
            else:
                told.add_done_callback(partial(self._told, client, acknowledged))
            return

    def _serving(self, client: AIOKafkaProducer) -> bool:
        return client is self._producer and self._fault is None

    def _told(
        self,
        client: AIOKafkaProducer,
        acknowledged: asyncio.Future[object],
        told: asyncio.Future[object],
    ) -> None:
        error = _GIVEN_UP if told.cancelled() else told.exception()
        if error is not None:
            self._refused(client, acknowledged, error)
        elif self._unacknowledged.pop(acknowledged, None) and not acknowledged.done():
            acknowledged.set_result(told.result())

    def _refused(
        self, client: AIOKafkaProducer, acknowledged: asyncio.Future[object], error: BaseException
    ) -> None:
        if client is not self._producer or acknowledged not in self._unacknowledged:
            return  # it is with another client by now
        if self._lasting(client, error):
            self._replace_for(error)
        else:
            del self._unacknowledged[acknowledged]
            _fail(acknowledged, error)

    @staticmethod
    def _lasting(client: AIOKafkaProducer, error: BaseException) -> bool:
        """Whether the fault is the client's: another one may write what this one cannot."""
        if isinstance(error, _NUMBERS_DO_NOT_FIT):
            return True
        # An idempotent producer tries again for ever, so an error that it would try again shows
        # that it has given a batch up, whose numbers are missing from then on.
        if getattr(error, "retriable", False):
            return True
        sending = client._sender.sender_task  # noqa: SLF001 (its end is told nowhere else)
        return sending is not None and sending.done()

    def _replace_for(self, error: BaseException) -> None:
        self._fault = error
        if self._replacing is None:
            self._replacing = asyncio.create_task(self._replace(), name="replace the producer")
            self._replacing.add_done_callback(self._replaced)

    async def _replace(self) -> None:
        while (error := self._fault) is not None:
            if not self._replacements.spend(monotonic()):
                raise error
            _log.warning(
                "the producer is replaced",
                error=type(error).__name__,
                sent_again=len(self._unacknowledged),
            )
            self._metrics.producer_replacements.inc()
            client, self._producer = self._producer, None
            if client is not None:
                # What it might still get written would stand before what has failed already.
                await put_away(client, "producer", finish=False)
            client = await connected_producer(self._settings, self._security)
            self._producer, self._fault = client, None
            for acknowledged, record in list(self._unacknowledged.items()):
                await self._hand_over(client, record, acknowledged)

    def _replaced(self, replacing: asyncio.Task[None]) -> None:
        self._replacing = None
        error = _GIVEN_UP if replacing.cancelled() else replacing.exception()
        if error is None:
            if self._fault is not None:  # the new one broke in the moment between
                self._replace_for(self._fault)
            return
        waiting, self._unacknowledged = self._unacknowledged, {}
        for acknowledged in waiting:
            _fail(acknowledged, error)

    async def flush(self) -> None:
        """See `stream.ports.Producer.flush`."""
        while self._unacknowledged:
            await asyncio.wait(set(self._unacknowledged))

    async def stop(self) -> None:
        """See `stream.ports.Producer.stop`."""
        if self._replacing is not None:
            self._replacing.cancel()
            await asyncio.wait({self._replacing})
        # What it cannot flush is nobody's to replace any more.
        client, self._producer = self._producer, None
        if client is not None:
            await put_away(client, "producer")

    @property
    def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            raise StreamUnavailable("the producer is not started")
        return self._producer


def _fail(acknowledged: asyncio.Future[object], error: BaseException) -> None:
    if not acknowledged.done():
        acknowledged.set_exception(error)
