"""Dead letters in a log in memory, written as a worker writes them."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.samples import NOON, input_record

from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.records import Headers, InputRecord, OutputRecord
from afterguard.contracts.words import Outcome
from afterguard.stream.memory import MemoryLog
from afterguard.stream.outputs import Outputs
from afterguard.stream.ports import Partition
from afterguard.stream.settings import TopicSettings

TOPICS = TopicSettings()


def letter_records(
    value: bytes | None,
    *,
    place: Coordinates,
    headers: Headers = (),
    key: bytes | None = b"k",
    limit: int = 60_000,
    now: Any = NOON,
    **changes: Any,
) -> list[OutputRecord]:
    """The records of one dead letter; small limits split it."""
    outputs = Outputs(TOPICS, source="/t", max_record_bytes=limit, now=lambda: now)
    record = input_record(value, coordinates=place, headers=headers, key=key)
    told: dict[str, Any] = {
        "outcome": Outcome.REJECTED,
        "reason": "not_json",
        "detail": "3 bytes",
        "attempts": 0,
    }
    return outputs.dead_letter(record, **(told | changes))


class MemoryLetterLog:
    """See `stream.letter_replay.LetterLog`."""

    def __init__(self, log: MemoryLog, topic: str = TOPICS.dead_letters) -> None:
        self._log, self._topic = log, topic

    async def scan(self, take: Callable[[InputRecord], None], *, unfinished: bool = False) -> None:
        """See `stream.letter_replay.LetterLog.scan`."""
        for record in self._log.records(self._topic):
            take(record)

    async def fetch(
        self, take: Callable[[InputRecord], None], between: Mapping[Partition, tuple[int, int]]
    ) -> None:
        """See `stream.letter_replay.LetterLog.fetch`."""
        for partition, (begin, end) in between.items():
            for record in self._log.partitions[partition][begin:end]:
                take(record)
