"""Letter replay: originals are put back to their topic, each once, whoever asks and whatever dies.

An original and the note of its replay are written in one transaction. All replays of a topic of
dead letters share one transactional id, so to start fences whoever replays already; what was noted
until then is read after that and before anything is written. So of two that replay at once only
the later can write, and it knows all that the earlier has written.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeVar

from afterguard.contracts.cloudevents import REPLAYED, Envelope, stamp
from afterguard.contracts.codec import encode
from afterguard.contracts.coordinates import Coordinates
from afterguard.contracts.errors import Fenced, PublishFailed, StreamError, StreamUnavailable
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.replays import Origin, Replayed, with_origin, without_origin
from afterguard.flow.admit import utc_now
from afterguard.stream.dead_letters import Catalogue, Contents, Letter, Original
from afterguard.stream.ports import Partition, TransactionalProducer
from afterguard.stream.transaction import transact

# Readers of the input wait for the end of a transaction, so each is short; the broker ends one
# that its owner has left after as long.
TRANSACTION_S: Final = 10.0
_START_S: Final = 60.0
_IN_ONE: Final = 100
_IN_ONE_BYTES: Final = 4 * 2**20
# Held in memory at once.
_CHUNK: Final = 5_000
_CHUNK_BYTES: Final = 64 * 2**20

T = TypeVar("T")


class LetterLog(Protocol):
    """The topic of dead letters."""

    async def scan(self, take: Callable[[InputRecord], None], *, unfinished: bool = False) -> None:
        """Hand over every record that counts.

        Args:
            take: Gets each, in offset order within its partition.
            unfinished: Wait for what is being written now, and hand it over if it counts.
        """
        ...

    async def fetch(
        self, take: Callable[[InputRecord], None], between: Mapping[Partition, tuple[int, int]]
    ) -> None:
        """Hand over all that stands there, from the first offset to one before the second."""
        ...


@dataclass(slots=True)
class PutBack:
    """What became of the letters.

    Attributes:
        replayed: Put back by us.
        elsewhere: Put back by somebody else since they were chosen.
        gone: Whose parts were deleted since they were chosen.
        refused: That the broker does not take.
        stopped: Whether it was asked to stop.
        fault: What ended it before the last letter.
    """

    replayed: int = 0
    elsewhere: int = 0
    gone: int = 0
    refused: list[Letter] = field(default_factory=list)
    stopped: bool = False
    fault: StreamError | None = None


class LetterReplay:
    """Puts letters back.

    Args:
        log: The topic of dead letters.
        connect: Makes a producer under the id that all replays of this topic share.
        catalogue: As it was read when the letters were chosen.
        topic: Of the dead letters.
        to: Where to, instead of the topic that a letter's record stood in. Origins are not named
            there, for no worker would believe them.
        source: CloudEvents source of the notes.
        now: The wall clock.
        stop: Whether to end after this transaction.
        show: Called after each transaction.
    """

    def __init__(
        self,
        log: LetterLog,
        connect: Callable[[], TransactionalProducer],
        catalogue: Catalogue,
        *,
        topic: str,
        to: str | None = None,
        source: str,
        now: Callable[[], datetime] = utc_now,
        stop: Callable[[], bool] = lambda: False,
        show: Callable[[PutBack], None] = lambda _: None,
    ) -> None:
        self._log, self._connect, self._catalogue = log, connect, catalogue
        self._topic, self._to = topic, to
        self._envelope = Envelope(REPLAYED, source)
        self._now, self._stop, self._show = now, stop, show
        self._producer: TransactionalProducer | None = None
        self._told = PutBack()

    async def run(self, letters: Sequence[Letter]) -> PutBack:
        """Put these letters back, in the order of their places; what is written counts at once."""
        told = self._told
        ordered = sorted((it for it in letters if it.whole), key=lambda it: it.place)
        try:
            for chunk in _cut(ordered, _CHUNK, _CHUNK_BYTES, lambda it: it.size or 0):
                await self._put_chunk(chunk)
        except Fenced:
            told.fault = Fenced(
                "another replay of these dead letters was started and goes on with them"
            )
        except StreamError as fault:
            told.fault = fault
        finally:
            await self._end()
        told.stopped = self._stop()
        return told

    async def _put_chunk(self, chunk: Sequence[Letter]) -> None:
        if self._stop():
            return
        await self._ready()
        due = [it for it in chunk if self._due(it)]
        self._told.elsewhere += len(chunk) - len(due)
        contents = Contents(due)
        if due:
            await self._log.fetch(contents.take, contents.between)
        originals = contents.originals()
        self._told.gone += len(due) - len(originals)
        # aiokafka's producer writes no record that has neither key nor value.
        empty = [it for it in originals if it.key is None and it.value is None]
        self._told.refused += [it.letter for it in empty]
        written = [it for it in originals if it not in empty]
        for batch in _cut(written, _IN_ONE, _IN_ONE_BYTES, lambda it: len(it.value or b"")):
            if not await self._put(batch):
                # One of them is refused; the others must not wait for it.
                for original in batch:
                    await self._put([original])

    async def _put(self, batch: Sequence[Original]) -> bool:
        """Write these in one transaction; False when the broker refuses one of several."""
        if self._stop():
            return True
        producer = await self._ready()
        due = [it for it in batch if self._due(it.letter)]
        self._told.elsewhere += len(batch) - len(due)
        if not due:
            return True
        notes = self._notes(due)
        try:
            await transact(producer, self._records(due, notes), limit_s=TRANSACTION_S)
        except PublishFailed:
            await self._end()
            if len(batch) > 1:
                self._told.elsewhere -= len(batch) - len(due)  # they are looked at again
                return False
            self._told.refused.append(due[0].letter)
            return True
        except StreamUnavailable as error:
            raise StreamUnavailable(
                f"{error}; replay again: what was written counts once"
            ) from error
        for note in notes:
            self._catalogue.note(note)
        self._told.replayed += len(due)
        self._show(self._told)
        return True

    def _records(
        self, originals: Sequence[Original], notes: Sequence[Replayed]
    ) -> list[OutputRecord]:
        return [
            record
            for original, note in zip(originals, notes, strict=True)
            for record in (
                self._record(original, note),
                self._note_record(original.letter, note),
            )
        ]

    def _due(self, letter: Letter) -> bool:
        return self._catalogue.replays(letter.letter_id) == letter.replays

    def _notes(self, originals: Sequence[Original]) -> list[Replayed]:
        now, numbers = self._now(), dict[Coordinates, int]()
        notes = []
        for original in originals:
            letter, origin = original.letter, original.letter.origin.coordinates
            number = max(
                self._catalogue.next_replay(origin),
                letter.origin.replay + 1,
                numbers.get(origin, 1),
            )
            numbers[origin] = number + 1
            notes.append(
                Replayed(
                    dead_letter_id=letter.letter_id,
                    origin=str(origin),
                    replay=number,
                    to_topic=self._to or letter.place.topic,
                    replayed_at=now,
                    forced=letter.replays > 0,
                )
            )
        return notes

    def _record(self, original: Original, note: Replayed) -> OutputRecord:
        place = original.letter.place
        if self._to is not None:
            headers = without_origin(original.headers)
            return OutputRecord(self._to, original.key, original.value, headers)
        origin = Origin(original.letter.origin.coordinates, note.replay)
        # The same partition: only there is the origin believed, and a conversation stays together.
        headers = with_origin(original.headers, origin)
        return OutputRecord(place.topic, original.key, original.value, headers, place.partition)

    def _note_record(self, letter: Letter, note: Replayed) -> OutputRecord:
        return OutputRecord(
            self._topic,
            str(letter.letter_id).encode(),
            encode(note),
            self._envelope.headers(
                f"{letter.letter_id}/{note.replay}",
                subject=note.origin.encode(),
                time=stamp(note.replayed_at),
            ),
            # Beside its letter, so that it is not deleted before it.
            letter.found[0].partition,
        )

    async def _ready(self) -> TransactionalProducer:
        if self._producer is None:
            producer = self._connect()
            self._producer = producer
            try:
                async with asyncio.timeout(_START_S):
                    await producer.start()
            except TimeoutError:
                raise StreamUnavailable(
                    f"the broker did not start a transactional producer within {_START_S:g} s"
                ) from None
            # All of it again, though most is known: a broker that tells whoever begins in the
            # middle wrongly which transactions were aborted would hide notes.
            await self._log.scan(self._catalogue.take, unfinished=True)
        return self._producer

    async def _end(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()


def _cut(
    items: Sequence[T], most: int, most_bytes: int, size: Callable[[T], int]
) -> Iterator[list[T]]:
    """The items in pieces of so many at most, and of so many bytes unless one alone has more."""
    piece: list[T] = []
    weight = 0
    for item in items:
        if piece and (len(piece) >= most or weight + size(item) > most_bytes):
            yield piece
            piece, weight = [], 0
        piece.append(item)
        weight += size(item)
    if piece:
        yield piece
