"""The topic of dead letters on Kafka, for those who read it back and replay from it."""

from collections.abc import Callable, Mapping
from typing import Final

from afterguard.contracts.records import InputRecord
from afterguard.stream.kafka.reader import scan_topic
from afterguard.stream.kafka.transactional import KafkaTransactionalProducers
from afterguard.stream.letter_replay import TRANSACTION_S
from afterguard.stream.ports import Partition, TransactionalProducer
from afterguard.stream.settings import KafkaSettings

# Not the group of the settings: whoever replays from this topic must fence all others who do.
_REPLAYS: Final = "afterguard-replay"


class KafkaLetterLog:
    """See `stream.letter_replay.LetterLog`.

    Args:
        kafka: Where the broker is.
        topic: Of the dead letters.
        progress: Told after each fetch how many offsets are read, and of how many.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        topic: str,
        progress: Callable[[int, int], None] = lambda _read, _of: None,
    ) -> None:
        self._kafka, self._topic, self._progress = kafka, topic, progress

    async def scan(self, take: Callable[[InputRecord], None], *, unfinished: bool = False) -> None:
        """See `stream.letter_replay.LetterLog.scan`."""
        await scan_topic(self._kafka, self._topic, take, self._progress, unfinished=unfinished)

    async def fetch(
        self, take: Callable[[InputRecord], None], between: Mapping[Partition, tuple[int, int]]
    ) -> None:
        """See `stream.letter_replay.LetterLog.fetch`."""
        await scan_topic(self._kafka, self._topic, take, self._progress, between=between)


def replay_producer(kafka: KafkaSettings, topic: str) -> TransactionalProducer:
    """A producer that fences every other one that replays from this topic of dead letters.

    Its transactional id is `afterguard-replay.<topic>.0`, whatever the group.
    """
    own = kafka.model_copy(update={"group_id": _REPLAYS})
    return KafkaTransactionalProducers(own, timeout_s=TRANSACTION_S)(Partition(topic, 0))
