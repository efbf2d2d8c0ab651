"""The input topic, read from Kafka as a member of a group."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import StreamUnavailable, TopicMissing
from afterguard.contracts.records import InputRecord
from afterguard.stream.kafka.admin import missing_topics
from afterguard.stream.kafka.connection import put_away, until_it_answers
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.kafka.stable_offsets import stable_offsets
from afterguard.stream.ports import AssignmentListener, Partition
from afterguard.stream.settings import KafkaSettings

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

# Long enough for one fetch, where a broker answers empty ones at once.
_PROMPT_S = 0.01
_GROUP_MOVED_ON = (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)


class KafkaConsumer:
    """See `stream.ports.Consumer`.

    aiokafka's defaults point the wrong way for this work (auto-commit on, `latest`, the session
    timeout as the rebalance budget), so everything that matters is set here.
    """

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._security = security_arguments(settings)
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[TopicPartition, int] = {}
        self._held = False
        self._withheld: set[Partition] = set()

    async def start(self, listener: AssignmentListener) -> None:
        """See `stream.ports.Consumer.start`."""
        settings = self._settings
        # Asked first, of all topics: to join by the name of a missing topic may create it.
        if await missing_topics(settings, [self._topic]):
            raise TopicMissing(
                f"topic {self._topic!r} does not exist; `afterguard topics create` makes it"
            )

        async def connect() -> AIOKafkaConsumer:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=settings.bootstrap_servers,
                group_id=settings.group_id,
                client_id=settings.client_id,
                enable_auto_commit=False,
                # A group without a commit begins at the beginning: nothing is skipped unseen.
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                partition_assignment_strategy=(RoundRobinPartitionAssignor,),
                session_timeout_ms=settings.session_timeout_ms,
                heartbeat_interval_ms=settings.heartbeat_interval_ms,
                rebalance_timeout_ms=settings.rebalance_timeout_ms,
                max_poll_interval_ms=settings.max_poll_interval_ms,
                request_timeout_ms=settings.request_timeout_ms,
                fetch_max_bytes=settings.fetch_max_bytes,
                max_partition_fetch_bytes=settings.max_partition_fetch_bytes,
                **self._security,
            )
            consumer.subscribe([self._topic], listener=_Listener(self, listener))
            # The first assignment comes while this waits, and its listener may pause us.
            self._consumer = consumer
            try:
                await consumer.start()
            except BaseException:
                self._consumer = None
                await put_away(consumer, "consumer")
                raise
            return consumer

        await until_it_answers(connect, settings)

    async def take(self, max_records: int, timeout_s: float) -> Sequence[InputRecord]:
        """See `stream.ports.Consumer.take`."""
        pause_s = min(self._settings.empty_fetch_pause_ms / 1000, timeout_s)
        taken = await self._fetched(
            max_records, min(timeout_s, _PROMPT_S) if pause_s else timeout_s
        )
        if not taken and pause_s and not self._held:
            await self._rest(pause_s)
        return taken

    async def _rest(self, seconds: float) -> None:
        # What is fetched meanwhile is kept, for only `getmany` drops records of what is paused.
        consumer = self._started
        consumer.pause(*consumer.assignment())
        try:
            await asyncio.sleep(seconds)
        finally:
            if not self._held:
                self.resume()

    async def _fetched(self, max_records: int, timeout_s: float) -> Sequence[InputRecord]:
        try:
            batches = await self._started.getmany(
                timeout_ms=int(timeout_s * 1000), max_records=max_records
            )
        except KafkaError as error:
            if getattr(error, "retriable", False):
                _log.warning("the broker did not answer a fetch", error=type(error).__name__)
                await asyncio.sleep(timeout_s)
                return ()
            raise StreamUnavailable(
                f"reading topic {self._topic!r} failed: {type(error).__name__}"
            ) from error
        except UnicodeDecodeError as error:
            # aiokafka decodes header names itself and gives no access to the record's bytes, so
            # it can be neither judged nor kept as a dead letter, and is never skipped in silence.
            raise StreamUnavailable(
                f"topic {self._topic!r} holds a record with a header name that is not UTF-8, "
                f"against the protocol; partition/offset is at or after {self._positions()}"
            ) from error
        taken: list[InputRecord] = []
        for partition, records in batches.items():
            self._next[partition] = records[-1].offset + 1
            topic, number = partition.topic, partition.partition
            taken += [
                InputRecord(
                    Coordinates(topic, number, it.offset),
                    it.key,
                    it.value,
                    it.headers,
                    it.timestamp,
                )
                for it in records
            ]
        return taken

    def pause(self, partitions: Sequence[Partition] | None = None) -> None:
        """See `stream.ports.Consumer.pause`."""
        if partitions is None:
            self._held = True
        else:
            self._withheld.update(partitions)
        # Without a client nothing is assigned; a rebalance may still end while we leave the group.
        if self._consumer is not None:
            assigned = self._consumer.assignment()
            wanted = assigned if partitions is None else assigned & set(_theirs(partitions))
            self._consumer.pause(*wanted)

    def resume(self, partitions: Sequence[Partition] | None = None) -> None:
        """See `stream.ports.Consumer.resume`."""
        if partitions is None:
            self._held = False
        else:
            self._withheld.difference_update(partitions)
        if self._consumer is not None and not self._held:
            self._consumer.resume(*self._consumer.assignment() - set(_theirs(self._withheld)))

    async def committed(self, partitions: Sequence[Partition]) -> Mapping[Partition, int | None]:
        """See `stream.ports.Consumer.committed`."""
        consumer = self._started
        return await self._asked(stable_offsets(consumer, self._settings.group_id, partitions))

    async def beginnings(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """See `stream.ports.Consumer.beginnings`."""
        asked = self._started.beginning_offsets(_theirs(partitions))
        return {Partition(*it): offset for it, offset in (await self._asked(asked)).items()}

    def seek(self, partition: Partition, offset: int) -> None:
        """See `stream.ports.Consumer.seek`."""
        try:
            self._started.seek(TopicPartition(*partition), offset)
        except IllegalStateError as error:
            raise StreamUnavailable(f"{partition} is not assigned") from error

    async def _asked(self, question: Awaitable[Answer]) -> Answer:
        try:
            async with asyncio.timeout(self._settings.request_timeout_ms / 1000):
                return await question
        except (KafkaError, TimeoutError) as error:
            raise StreamUnavailable(
                f"the broker told no offsets: {type(error).__name__}"
            ) from error

    async def commit(self, positions: Mapping[Partition, int]) -> bool:
        """See `stream.ports.Consumer.commit`."""
        offsets = {TopicPartition(*partition): offset for partition, offset in positions.items()}
        try:
            async with asyncio.timeout(self._settings.request_timeout_ms / 1000):
                await self._started.commit(offsets)
        except _GROUP_MOVED_ON:
            return False
        except (KafkaError, TimeoutError) as error:
            raise StreamUnavailable(f"commit failed: {type(error).__name__}") from error
        return True

    def lag(self) -> Mapping[Partition, int]:
        """See `stream.ports.Consumer.lag`."""
        found: dict[Partition, int] = {}
        for partition in self._started.assignment():
            end, position = self._started.highwater(partition), self._next.get(partition)
            if end is not None and position is not None:
                found[Partition(partition.topic, partition.partition)] = max(0, end - position)
        return found

    async def stop(self) -> None:
        """See `stream.ports.Consumer.stop`."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await put_away(consumer, "consumer")

    def _positions(self) -> str:
        known = (f"{it.partition}/{offset}" for it, offset in sorted(self._next.items()))
        return ", ".join(known) or "the committed offset"

    def forget(self) -> None:
        """Drop what belongs to an assignment that is over."""
        self._next.clear()
        self._withheld.clear()

    @property
    def _started(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            raise StreamUnavailable("the consumer is not started")
        return self._consumer


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, consumer: KafkaConsumer, listener: AssignmentListener) -> None:
        self._consumer, self._listener = consumer, listener

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if revoked:  # the first join takes nothing away
            await self._listener.revoked(_ours(revoked))
        self._consumer.forget()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        # Nothing may be awaited before the ledgers stand: aiokafka is fetching already.
        self._listener.assigned(_ours(assigned))


def _theirs(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(*it) for it in partitions]


def _ours(partitions: Collection[TopicPartition]) -> list[Partition]:
    return sorted(Partition(it.topic, it.partition) for it in partitions)
