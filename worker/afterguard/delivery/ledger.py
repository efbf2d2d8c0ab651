"""The ledger of one partition: which offsets may be committed.

Every record that is taken in gets an entry, in offset order. An entry goes
`admitted → judged → published → settled`; only the contiguous settled prefix may be committed, so
a slow event holds the commit back and is read again after a crash.

A ledger belongs to one assignment of its partition. When the partition is taken away the ledger
is closed: what completes later belongs to nobody, moves no offset and frees no budget twice.
"""

from collections import deque
from collections.abc import Callable, Iterator
from enum import IntEnum
from time import monotonic
from typing import NamedTuple

from afterguard.contracts.words import Lane


class Stage(IntEnum):
    """How far an entry has come."""

    ADMITTED = 0
    JUDGED = 1
    PUBLISHED = 2
    SETTLED = 3


class Fates(NamedTuple):
    """The balance of a ledger: `admitted = settled + in_flight + abandoned`, always."""

    admitted: int
    settled: int
    in_flight: int
    abandoned: int

    @property
    def balanced(self) -> bool:
        """Whether no entry was lost or counted twice."""
        return self.admitted == self.settled + self.in_flight + self.abandoned


class Passed(NamedTuple):
    """Settled entries that the position has gone past.

    Attributes:
        events: How many.
        since: When each was settled, monotonic seconds, all together.
    """

    events: int
    since: float


class Entry:
    """One record on its way. Made by `Ledger.admit` only.

    Attributes:
        offset: Where the record stands in the log.
        tokens: What it costs the budget.
        admitted_at: When it was taken in, monotonic seconds.
        stage: How far it has come.
        since: When it came to that stage.
        lane: How urgent it is; None while nobody has said.
        attempts: How often its most stubborn request was tried; written down with the judgement.
    """

    __slots__ = (
        "_ledger",
        "admitted_at",
        "attempts",
        "lane",
        "offset",
        "since",
        "stage",
        "tokens",
    )

    def __init__(self, ledger: "Ledger", offset: int, tokens: int, admitted_at: float) -> None:
        self._ledger = ledger
        self.offset = offset
        self.tokens = tokens
        self.admitted_at = self.since = admitted_at
        self.stage = Stage.ADMITTED
        self.lane: Lane | None = None
        self.attempts = 0

    @property
    def live(self) -> bool:
        """Whether the entry's partition is still ours under the same assignment."""
        return not self._ledger.closed

    @property
    def waited(self) -> float:
        """Since it came to its stage, seconds."""
        return self._ledger._clock() - self.since  # noqa: SLF001 (entry and ledger are one thing)

    def advance(self, stage: Stage) -> None:
        """Move on to a later stage; settling frees the entry's share of the budget.

        Raises:
            ValueError: The stage is not later than the present one.
        """
        if stage <= self.stage:
            raise ValueError(
                f"offset {self.offset} is {self.stage.name}, cannot become {stage.name}"
            )
        self.stage = stage
        self.since = self._ledger._clock()  # noqa: SLF001 (entry and ledger are one thing)
        if stage is Stage.SETTLED:
            self._ledger._settled(self)  # noqa: SLF001

    def settle(self) -> None:
        """The event is done with: its outputs are acknowledged."""
        self.advance(Stage.SETTLED)


class Ledger:
    """Entries of one partition under one assignment.

    Args:
        release: Called once for each entry that leaves, settled or abandoned, with its tokens.
        first_offset: No record below it may be taken in: it is settled already.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        release: Callable[[int], None],
        *,
        first_offset: int = 0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._release, self._clock = release, clock
        self._entries: deque[Entry] = deque()
        self._admitted = 0
        self._settled_count = 0
        self._abandoned = 0
        self._position: int | None = None
        self._passed, self._passed_since = 0, 0.0
        self._last_offset = first_offset - 1
        self.closed = False

    def admit(self, offset: int, tokens: int, now: float) -> Entry:
        """Take in the next record.

        Args:
            offset: Higher than every offset before; gaps are normal in a log.
            tokens: What it costs the budget until it leaves.
            now: Monotonic seconds.

        Raises:
            ValueError: The ledger is closed, or the offset is not higher than the last.
        """
        if self.closed:
            raise ValueError("the ledger is closed")
        if offset <= self._last_offset:
            raise ValueError(f"offset {offset} after {self._last_offset}")
        entry = Entry(self, offset, tokens, now)
        self._last_offset = offset
        self._entries.append(entry)
        self._admitted += 1
        return entry

    def _settled(self, entry: Entry) -> None:
        if self.closed:
            return
        self._settled_count += 1
        self._release(entry.tokens)
        entries = self._entries
        while entries and entries[0].stage is Stage.SETTLED:
            passed = entries.popleft()
            self._position = passed.offset + 1
            self._passed += 1
            self._passed_since += passed.since

    @property
    def passed(self) -> Passed:
        """What the position has gone past since it was last committed."""
        return Passed(self._passed, self._passed_since)

    def committed(self, passed: Passed) -> None:
        """A position was committed; this is what `passed` said when it was read."""
        self._passed -= passed.events
        self._passed_since -= passed.since

    @property
    def position(self) -> int | None:
        """The offset to commit: one past the contiguous settled prefix; None before the first."""
        return self._position

    @property
    def oldest(self) -> Entry | None:
        """The entry that holds the commit back; None when nothing is in flight."""
        return self._entries[0] if self._entries else None

    def held(self) -> list[Entry]:
        """The oldest unsettled entry and all behind it, settled ones included; for a look."""
        return list(self._entries)

    def in_order(self) -> Iterator[Entry]:
        """The oldest unsettled entry and all behind it; may not be settled meanwhile."""
        return iter(self._entries)

    def close(self) -> list[Entry]:
        """End this assignment: what is not settled is abandoned, its tokens are released.

        Returns:
            The abandoned entries, in offset order; empty when closed before.
        """
        if self.closed:
            return []
        abandoned = [entry for entry in self._entries if entry.stage is not Stage.SETTLED]
        self.closed = True
        self._entries.clear()
        self._abandoned += len(abandoned)
        for entry in abandoned:
            self._release(entry.tokens)
        return abandoned

    @property
    def settled(self) -> int:
        """How many are settled."""
        return self._settled_count

    @property
    def in_flight(self) -> int:
        """How many are not settled, by the books; `fates` counts them."""
        return self._admitted - self._settled_count - self._abandoned

    @property
    def fates(self) -> Fates:
        """What became of everything that was admitted; counts what is here, or none would err."""
        here = sum(entry.stage is not Stage.SETTLED for entry in self._entries)
        return Fates(self._admitted, self._settled_count, here, self._abandoned)
