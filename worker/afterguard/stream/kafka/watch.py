"""Watch: asks the broker now and then whether it is there, and whether what we read moves.

A client of Kafka tries again for ever and says little: whether a broker is gone, or a member reads
nothing any more, has to be found out from beside it.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from time import monotonic

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from afterguard.contracts.errors import StreamError
from afterguard.stream.kafka.consumer_client import state_of
from afterguard.stream.kafka.refusals import refusal
from afterguard.stream.ports import Partition
from afterguard.stream.settings import KafkaSettings
from afterguard.stream.stall import Reading, Stall
from afterguard.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_LONGEST_INTERVAL_S = 15.0
_LOOKS = 6
# A broker that starts again may refuse for a moment.
_PATIENT_LOOKS = 2
_ASK_S = 5.0


class BrokerWatch:
    """Looks until it is cancelled; what it found is read from its attributes.

    Args:
        settings: `stall_timeout_s`, `away_timeout_s`.
        topic: Asked about when nothing is assigned.
        held: Whether a partition is held back by us.
        metrics: Where the silence is shown.
        clock: Monotonic seconds.

    Attributes:
        stalled: Partitions that stand still though there is more to read.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        *,
        held: Callable[[TopicPartition], bool],
        metrics: Metrics,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._settings = settings
        self._topic, self._held, self._metrics, self._clock = topic, held, metrics, clock
        shortest = min(settings.stall_timeout_s, settings.away_timeout_s)
        self._interval_s = min(_LONGEST_INTERVAL_S, shortest / _LOOKS)
        self._stall = Stall(settings.stall_timeout_s)
        self._answered_at = clock()
        self.stalled: list[Partition] = []

    @property
    def silent_s(self) -> float:
        """How long no broker has answered, seconds."""
        return self._clock() - self._answered_at

    async def run(self, client: AIOKafkaConsumer) -> None:
        """Look until cancelled.

        Raises:
            StreamError: Brokers answer no more, and refuse us; says what they refuse.
        """
        self._answered_at, self.stalled = self._clock(), []
        self._stall.look({}, self._clock())
        while True:
            await asyncio.sleep(self._interval_s)
            await self.look(client)

    async def look(self, client: AIOKafkaConsumer) -> None:
        """One look."""
        mine = client.assignment()
        ends = await _ends(client, mine or self._any(client))
        now = self._clock()
        if ends:
            self._answered_at = now
        elif self.silent_s > _PATIENT_LOOKS * self._interval_s:
            await self._unless_refused()
        self._metrics.broker_silent_seconds.set(self.silent_s)
        readings = {}
        for partition in mine & ends.keys():
            state = state_of(client, partition)
            if state is not None:
                position = state.position if state.has_valid_position else None
                held = self._held(partition)
                readings[Partition(*partition)] = Reading(position, ends[partition], held)
        self.stalled = self._stall.look(readings, now)

    async def _unless_refused(self) -> None:
        why = await refusal(self._settings)
        if why is not None and why.lasting:
            raise StreamError(why.text)

    def _any(self, client: AIOKafkaConsumer) -> set[TopicPartition]:
        numbers = client.partitions_for_topic(self._topic) or ()
        return {TopicPartition(self._topic, number) for number in numbers}


async def _ends(
    client: AIOKafkaConsumer, partitions: Collection[TopicPartition]
) -> Mapping[TopicPartition, int]:
    """The ends of those partitions whose leader answers."""
    whole = await _asked(client, list(partitions))
    if whole or len(partitions) == 1:
        return whole
    # One partition without a leader spoils the answer for all.
    singles = await asyncio.gather(*(_asked(client, [it]) for it in partitions))
    return {partition: end for found in singles for partition, end in found.items()}


async def _asked(
    client: AIOKafkaConsumer, partitions: list[TopicPartition]
) -> Mapping[TopicPartition, int]:
    if not partitions:
        return {}
    try:
        async with asyncio.timeout(_ASK_S):
            ends: Mapping[TopicPartition, int] = await client.end_offsets(partitions)
            return ends
    except (KafkaError, OSError, TimeoutError) as error:
        _log.info("the broker did not tell the end of a partition", error=type(error).__name__)
        return {}
