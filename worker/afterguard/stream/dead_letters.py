"""Dead letters read back: what lies in the topic, joined from its parts, and what was replayed.

Three kinds of records stand there: letters (or parts of one), notes that a letter was replayed, and
whatever somebody else has written, which is counted and otherwise left alone.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from afterguard.contracts.cloudevents import REPLAYED
from afterguard.contracts.coordinates import Coordinates, dead_letter_id
from afterguard.contracts.dead_letters import DeadLetter
from afterguard.contracts.records import InputRecord
from afterguard.contracts.replays import Origin, Replayed
from afterguard.contracts.words import Outcome
from afterguard.stream.ports import Partition

_TOPIC: Final = re.compile(r"[a-zA-Z0-9._-]{1,249}")
_PLACE: Final = re.compile(r"([a-zA-Z0-9._-]{1,249})/(\d{1,10})/(\d{1,19})")


def place_of(text: str | None) -> Coordinates | None:
    """The coordinates written as `topic/partition/offset`; None for anything else."""
    found = _PLACE.fullmatch(text or "")
    return Coordinates(found[1], int(found[2]), int(found[3])) if found else None


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter without its content.

    Attributes:
        letter_id: Of its first part.
        place: Where the record stood that could not be judged.
        origin: The place that ids are made from, and its replays so far as the letter knows.
        outcome: `rejected` or `failed`.
        reason: The code of the cause.
        detail: Names fields and faults.
        attempts: How often it was tried.
        event_id: When the record could be read so far.
        size: Bytes of the original value; None for a tombstone.
        recorded_at: When it was written.
        parts: How many there should be.
        found: Where in the topic each part stands that is there.
        whole: Whether all bytes of the value are there.
        left_out: Whether key and header values were too large to be kept.
        replays: How often it was put back.
    """

    letter_id: UUID
    place: Coordinates
    origin: Origin
    outcome: Outcome
    reason: str
    detail: str
    attempts: int
    event_id: str | None
    size: int | None
    recorded_at: datetime
    parts: int
    found: Mapping[int, Coordinates]
    whole: bool
    left_out: bool
    replays: int


def read_letter(record: InputRecord) -> DeadLetter | None:
    """The letter, or the part of one, that a record of the topic holds; None for a foreign one."""
    try:
        letter = DeadLetter.model_validate_json(record.value or b"")
    except ValidationError:
        return None
    place = Coordinates(letter.topic, letter.partition, letter.offset)
    # Whoever writes a letter knows its id; a record that happens to look like one does not.
    if (
        min(place.partition, place.offset) < 0
        or letter.part >= letter.parts
        or not _TOPIC.fullmatch(place.topic)
        or letter.dead_letter_id != dead_letter_id(place, letter.part)
    ):
        return None
    return letter


@dataclass(slots=True)
class _Writing:
    """The parts of one letter that were written together."""

    head: DeadLetter
    found: dict[int, Coordinates] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        complete = len(self.found) == self.head.parts
        return complete and sum(self.sizes.values()) == self.head.original_size


class Catalogue:
    """Everything in the topic of dead letters but the content.

    Args:
        wanted: Which letters to keep; all by default.

    Attributes:
        foreign: Records that are neither letters nor notes.
    """

    def __init__(self, wanted: Callable[[DeadLetter], bool] = lambda _: True) -> None:
        self._wanted = wanted
        # A worker that dies before its commit writes a letter again, perhaps in other parts.
        self._writings: dict[Coordinates, dict[tuple[datetime, int], _Writing]] = {}
        self._replays: dict[UUID, set[int]] = {}
        self._last_replay: dict[Coordinates, int] = {}
        self.foreign = 0

    def take(self, record: InputRecord) -> None:
        """Take in a record of the topic, whatever it holds; again changes nothing but counts."""
        if record.header("ce_type") == REPLAYED.encode():
            self._take_note(record)
            return
        letter = read_letter(record)
        if letter is None:
            self.foreign += 1
            return
        place = Coordinates(letter.topic, letter.partition, letter.offset)
        if letter.replay and (origin := place_of(letter.origin)):
            self._raise_replay(origin, letter.replay)
        if not self._wanted(letter):
            return
        size, value = len(letter.value or b""), None if letter.value is None else b""
        writings = self._writings.setdefault(place, {})
        key = letter.recorded_at, letter.parts
        if key not in writings:
            head = letter.model_copy(update={"value": value, "key": None, "headers": []})
            writings[key] = _Writing(head)
        writings[key].found.setdefault(letter.part, record.coordinates)
        writings[key].sizes.setdefault(letter.part, size)

    def letters(self) -> list[Letter]:
        """All letters that were wanted, by the place of their record."""
        return [self._letter(place, self._writings[place]) for place in sorted(self._writings)]

    def replays(self, letter_id: UUID) -> int:
        """How often a letter was put back."""
        return len(self._replays.get(letter_id, ()))

    def next_replay(self, origin: Coordinates) -> int:
        """The number of the next replay of an origin."""
        return self._last_replay.get(origin, 0) + 1

    def note(self, replayed: Replayed) -> None:
        """Take in the note of a replay that counts."""
        origin = place_of(replayed.origin)
        self._replays.setdefault(replayed.dead_letter_id, set()).add(replayed.replay)
        if origin is not None:
            self._raise_replay(origin, replayed.replay)

    def _take_note(self, record: InputRecord) -> None:
        try:
            self.note(Replayed.model_validate_json(record.value or b""))
        except ValidationError:
            self.foreign += 1

    def _raise_replay(self, origin: Coordinates, replay: int) -> None:
        self._last_replay[origin] = max(replay, self._last_replay.get(origin, 0))

    def _letter(
        self, place: Coordinates, writings: Mapping[tuple[datetime, int], _Writing]
    ) -> Letter:
        best = max(writings.values(), key=lambda it: (it.whole, it.head.recorded_at))
        head = best.head
        letter_id = dead_letter_id(place)
        return Letter(
            letter_id=letter_id,
            place=place,
            origin=Origin(place_of(head.origin) or place, head.replay),
            outcome=head.outcome,
            reason=head.reason,
            detail=head.detail,
            attempts=head.attempts,
            event_id=head.event_id,
            size=None if head.value is None else head.original_size,
            recorded_at=head.recorded_at,
            parts=head.parts,
            found=best.found,
            whole=best.whole,
            left_out=head.left_out,
            replays=self.replays(letter_id),
        )


@dataclass(frozen=True, slots=True)
class Original:
    """A letter with the record that it was written about, as the producer had written it."""

    letter: Letter
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


class Contents:
    """Gathers the parts of some whole letters into their originals.

    Args:
        letters: Those to gather; each must be whole.
    """

    def __init__(self, letters: list[Letter]) -> None:
        self._letters = letters
        self._wanted = {place for letter in letters for place in letter.found.values()}
        self._parts: dict[Coordinates, DeadLetter] = {}

    @property
    def between(self) -> dict[Partition, tuple[int, int]]:
        """The stretches of partitions that hold all parts: the first offset, one past the last."""
        offsets: dict[Partition, list[int]] = {}
        for topic, number, offset in self._wanted:
            offsets.setdefault(Partition(topic, number), []).append(offset)
        return {partition: (min(them), max(them) + 1) for partition, them in offsets.items()}

    def take(self, record: InputRecord) -> None:
        """Take in a record of the topic."""
        if record.coordinates in self._wanted and (letter := read_letter(record)) is not None:
            self._parts[record.coordinates] = letter

    def originals(self) -> list[Original]:
        """The originals of all letters whose parts have come, in their order."""
        return [
            self._join(letter)
            for letter in self._letters
            if all(place in self._parts for place in letter.found.values())
        ]

    def _join(self, letter: Letter) -> Original:
        parts = [self._parts[letter.found[number]] for number in range(letter.parts)]
        values = [it.value for it in parts]
        value = None if values[0] is None else b"".join(it or b"" for it in values)
        return Original(letter, parts[0].key, value, tuple(parts[0].headers))
