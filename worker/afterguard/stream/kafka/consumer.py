"""The input topic, read from Kafka as a member of a group."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from time import monotonic
from typing import TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import StreamUnavailable, TopicMissing
from afterguard.contracts.records import InputRecord
from afterguard.delivery.allowance import Allowance
from afterguard.stream.kafka.admin import missing_topics
from afterguard.stream.kafka.beginnings import Beginnings, Placed
from afterguard.stream.kafka.connection import put_away
from afterguard.stream.kafka.consumer_client import ConsumerClients, state_of
from afterguard.stream.kafka.membership import Membership
from afterguard.stream.kafka.security import security_arguments
from afterguard.stream.kafka.stable_offsets import stable_offsets
from afterguard.stream.kafka.trouble import trouble
from afterguard.stream.kafka.watch import BrokerWatch
from afterguard.stream.outcast import Outcast
from afterguard.stream.ports import AssignmentListener, Partition
from afterguard.stream.settings import DeliverySettings, KafkaSettings, rebalance_timeout_ms
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")

# Long enough for one fetch, where a broker answers empty ones at once.
_PROMPT_S = 0.01
# What `getmany` may take beyond its own timeout, which it forgets during a rebalance.
_LATE_S = 1.0
_LONGEST_REFUSED_S = 30.0
_REBUILDS, _REBUILDS_WITHIN_S = 1, 600.0
_GROUP_MOVED_ON = (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)


class KafkaConsumer:
    """See `stream.ports.Consumer`.

    A client that reads nothing any more, or is outside its group and does not notice, is replaced
    by a new one, once. When no broker answers for `kafka.away_timeout_s`, `take` says so.

    Args:
        settings: Where the broker is and how the group behaves.
        topic: The input topic.
        revoke_grace_s: How long the listener may take to let go, seconds.
        metrics: Where faults are counted.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        revoke_grace_s: float = DeliverySettings().revoke_grace_s,
        metrics: Metrics | None = None,
    ) -> None:
        self._settings, self._topic = settings, topic
        self._metrics = metrics or Metrics()
        self._clients = ConsumerClients(
            settings,
            topic,
            rebalance_timeout_ms=rebalance_timeout_ms(settings, revoke_grace_s),
            security=security_arguments(settings),
        )
        self._beginnings = Beginnings(self._metrics)
        self._watch = BrokerWatch(settings, topic, held=self._holds, metrics=self._metrics)
        self._watching: asyncio.Task[None] | None = None
        self._outcast = Outcast(min(settings.session_timeout_ms / 1000, _LONGEST_REFUSED_S))
        self._rebuilds = Allowance(_REBUILDS, _REBUILDS_WITHIN_S)
        self._membership: Membership | None = None
        self._next: dict[TopicPartition, int] = {}
        self._begun: dict[Partition, int] = {}
        self._cut_off: Partition | None = None
        self._held = False
        self._withheld: set[Partition] = set()

    async def start(self, listener: AssignmentListener) -> None:
        """See `stream.ports.Consumer.start`."""
        # Asked first, of all topics: to join by the name of a missing topic may create it.
        if await missing_topics(self._settings, [self._topic]):
            raise TopicMissing(
                f"topic {self._topic!r} does not exist; `afterguard topics create` makes it"
            )
        await self._join(listener)

    async def _join(self, listener: AssignmentListener) -> None:
        self._membership = Membership(listener, self._forget)
        client = await self._clients.connected(self._membership)
        self._watching = asyncio.create_task(self._watch.run(client), name="broker watch")

    async def take(self, max_records: int, timeout_s: float) -> Sequence[InputRecord]:
        """See `stream.ports.Consumer.take`."""
        await self._mended()
        pause_s = min(self._settings.empty_fetch_pause_ms / 1000, timeout_s)
        wait_s = min(timeout_s, _PROMPT_S) if pause_s else timeout_s
        taken = await self._fetched(max_records, wait_s)
        if taken is None:
            await asyncio.sleep(timeout_s)
        elif not taken and pause_s and not self._held:
            await self._rest(pause_s)
        return taken or ()

    async def _rest(self, seconds: float) -> None:
        # What is fetched meanwhile is kept, for only `getmany` drops records of what is paused.
        consumer = self._started
        consumer.pause(*consumer.assignment())
        try:
            await asyncio.sleep(seconds)
        finally:
            if not self._held:
                self.resume()

    async def _fetched(self, max_records: int, timeout_s: float) -> Sequence[InputRecord] | None:
        """What there is; None when the broker did not answer."""
        try:
            async with asyncio.timeout(timeout_s + _LATE_S):
                batches = await self._started.getmany(
                    timeout_ms=int(timeout_s * 1000), max_records=max_records
                )
        except TimeoutError:  # a rebalance; nothing is lost, for nothing was handed out
            return ()
        except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
            return await self._placed(error)
        except KafkaError as error:
            if getattr(error, "retriable", False):
                _log.warning("the broker did not answer a fetch", error=type(error).__name__)
                return None
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

    async def _placed(self, error: KafkaError) -> Sequence[InputRecord] | None:
        client, beginnings = self._started, self._beginnings
        try:
            if isinstance(error, NoOffsetForPartitionError):
                where = error.args[0]
                first = await beginnings.without_a_commit(client, where)
                if first is not None:
                    self._begun[Partition(*where)] = first
                return ()
            for where, offset in error.args[0].items():
                placed = await beginnings.out_of_range(
                    client, where, offset, taken=where in self._next
                )
                if placed is Placed.ENDS_BEFORE_US:
                    self._cut_off = Partition(*where)
        except (KafkaError, TimeoutError) as fault:
            _log.warning("the broker told no beginning", error=type(fault).__name__)
            return None
        return ()

    async def _mended(self) -> None:
        membership, watching = self._membership, self._watching
        if membership is None or watching is None or membership.client is None:
            raise StreamUnavailable("the consumer is not started")
        if watching.done():
            watching.result()
        found = trouble(self._settings, membership, self._watch, self._outcast, self._cut_off)
        if found is None:
            return
        if not self._rebuilds.spend(monotonic()):
            raise StreamUnavailable(f"{found.told}; the consumer was rebuilt already, in vain")
        _log.warning("the consumer is rebuilt", reason=found.told)
        self._metrics.consumer_rebuilds.labels(found.reason).inc()
        client = self._started
        await membership.give_up()
        await self._leave(client)
        await self._join(membership.listener)
        _log.info("the consumer was rebuilt")

    async def _leave(self, client: AIOKafkaConsumer | None) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        if client is not None:
            await put_away(client, "consumer")

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

    def begun(self) -> Mapping[Partition, int]:
        """See `stream.ports.Consumer.begun`."""
        return self._begun

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
            self._outcast.refused(monotonic())
            return False
        except (KafkaError, TimeoutError) as error:
            raise StreamUnavailable(f"commit failed: {type(error).__name__}") from error
        self._outcast.clear()
        return True

    def lag(self) -> Mapping[Partition, int]:
        """See `stream.ports.Consumer.lag`."""
        client = self._consumer
        found: dict[Partition, int] = {}
        if client is None:
            return found
        for partition in client.assignment():
            state = state_of(client, partition)
            if state is None or state.highwater is None or not state.has_valid_position:
                continue
            # Before the first record is taken, the client alone knows where reading begins.
            position = self._next.get(partition, state.position)
            found[Partition(*partition)] = max(0, state.highwater - position)
        return found

    async def stop(self) -> None:
        """See `stream.ports.Consumer.stop`."""
        client = self._consumer
        if self._membership is not None:
            self._membership.end()
        await self._leave(client)

    def _holds(self, partition: TopicPartition) -> bool:
        return self._held or Partition(*partition) in self._withheld

    def _positions(self) -> str:
        known = (f"{it.partition}/{offset}" for it, offset in sorted(self._next.items()))
        return ", ".join(known) or "the committed offset"

    def _forget(self) -> None:
        self._next.clear()
        self._begun.clear()
        self._withheld.clear()
        self._outcast.clear()
        self._cut_off = None

    @property
    def _consumer(self) -> AIOKafkaConsumer | None:
        return self._membership.client if self._membership is not None else None

    @property
    def _started(self) -> AIOKafkaConsumer:
        client = self._consumer
        if client is None:
            raise StreamUnavailable("the consumer is not started")
        return client


def _theirs(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(*it) for it in partitions]
