"""A letter is put back once, whoever asks, how often, at the same time, and whoever dies."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.samples import NOON
from tests.stream.letters import TOPICS, MemoryLetterLog, letter_records

from afterguard.contracts.coordinates import Coordinates, dead_letter_id
from afterguard.contracts.errors import Fenced
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.replays import Origin, Replayed, origin_of
from afterguard.stream.dead_letters import Catalogue, Letter
from afterguard.stream.letter_replay import LetterReplay, PutBack
from afterguard.stream.memory import MemoryLog
from afterguard.stream.memory_transactions import MemoryTransactionalProducer
from afterguard.stream.ports import Partition

EVENTS, LETTERS = TOPICS.events, TOPICS.dead_letters
LARGE = b"x" * 100_000


class Killed(Exception):
    """The command is gone: nothing after this happens."""


class Fate:
    """Decides at every step of one command: go on, let others run first, or die."""

    def __init__(self, decisions: Sequence[int], *, dies: bool = True) -> None:
        self._decisions, self._dies = list(decisions), dies

    async def step(self) -> None:
        decision = self._decisions.pop(0) if self._decisions else 0
        if decision == 9 and self._dies:
            raise Killed
        for _ in range(decision):
            await asyncio.sleep(0)


class FatedProducer:
    """A transactional producer whose owner may die before and after each call."""

    def __init__(self, log: MemoryLog, fate: Fate) -> None:
        self._inner, self._fate = MemoryTransactionalProducer(log, "r", Partition(LETTERS, 0)), fate

    async def start(self) -> None:
        await self._fated(self._inner.start)

    async def begin(self) -> None:
        await self._fated(self._inner.begin)

    async def send(self, record: OutputRecord) -> asyncio.Future[object]:
        await self._fate.step()
        return await self._inner.send(record)

    async def send_offset(self, partition: Partition, offset: int) -> None:
        raise AssertionError("a replay moves no offset")

    async def commit(self) -> None:
        await self._fated(self._inner.commit)

    async def abort(self) -> None:
        await self._fated(self._inner.abort)

    async def stop(self) -> None:
        await self._inner.stop()

    async def _fated(self, call: Callable[[], Any]) -> None:
        await self._fate.step()
        await call()
        await self._fate.step()


class FatedLog(MemoryLetterLog):
    """The topic of dead letters, read by somebody who may die at it."""

    def __init__(self, log: MemoryLog, fate: Fate) -> None:
        super().__init__(log)
        self._fate = fate

    async def scan(self, take: Callable[[InputRecord], None], *, unfinished: bool = False) -> None:
        await self._fate.step()
        await super().scan(take)
        await self._fate.step()

    async def fetch(
        self, take: Callable[[InputRecord], None], between: Mapping[Partition, tuple[int, int]]
    ) -> None:
        await self._fate.step()
        await super().fetch(take, between)
        await self._fate.step()


def log_with(letters: int, *, offset: int = 100, **limits: Any) -> MemoryLog:
    """Events that were rejected, and their dead letters; every third letter has parts."""
    log = MemoryLog({EVENTS: 2, LETTERS: 3}, **limits)
    for number in range(letters):
        place = Coordinates(EVENTS, number % 2, offset + number)
        value = LARGE if number % 3 == 2 else b"value %d" % number
        for record in letter_records(value, place=place):
            log.append(record)
    return log


async def command(
    log: MemoryLog,
    fate: Fate | None = None,
    *,
    choose: Callable[[Letter], bool] = lambda it: not it.replays,
    **options: Any,
) -> PutBack:
    """What `afterguard dead-letters replay` does."""
    fate = fate or Fate([])
    letters, catalogue = FatedLog(log, fate), Catalogue()
    await letters.scan(catalogue.take)
    return await LetterReplay(
        letters,
        lambda: FatedProducer(log, fate),
        catalogue,
        topic=LETTERS,
        source="/t",
        now=lambda: NOON,
        **options,
    ).run([it for it in catalogue.letters() if choose(it)])


def notes(log: MemoryLog) -> list[Replayed]:
    records = [
        it
        for it in log.records(LETTERS)
        if it.header(
            "ce_type",
        )
        == b"dev.afterguard.dead-letter.replayed.v1"
    ]
    return [Replayed.model_validate_json(it.value or b"") for it in records]


fates = st.lists(st.integers(0, 9), max_size=40)


@given(st.integers(1, 7), st.lists(fates, max_size=4))
@settings(max_examples=150)
def test_each_is_put_back_once_although_commands_meet_and_die(
    count: int, decisions: list[list[int]]
) -> None:
    async def run() -> MemoryLog:
        log = log_with(count)
        runs = (command(log, Fate(those)) for those in decisions)
        for told in await asyncio.gather(*runs, return_exceptions=True):
            assert isinstance(told, (PutBack, Killed)), told
            if isinstance(told, PutBack):
                assert told.fault is None or isinstance(told.fault, Fenced)
        last = await command(log)
        assert last.fault is None
        return log

    log = asyncio.run(run())
    # The events that were rejected stand in no log here: all that is there was put back.
    values = Counter(it.value for it in log.records(EVENTS))
    assert values == Counter(
        LARGE if number % 3 == 2 else b"value %d" % number for number in range(count)
    )
    places = [Coordinates(EVENTS, number % 2, 100 + number) for number in range(count)]
    written = notes(log)
    assert Counter(it.dead_letter_id for it in written) == Counter(map(dead_letter_id, places))
    assert {it.origin for it in written} == {str(place) for place in places}


async def test_a_record_is_put_back_as_it_was_and_names_its_origin() -> None:
    log = MemoryLog({EVENTS: 3, LETTERS: 1})
    place = Coordinates(EVENTS, 2, 0)
    log.append(OutputRecord(EVENTS, b"k", b"odd", (("h", b"1"),), 2))
    for record in letter_records(b"odd", place=place, headers=(("h", b"1"),)):
        log.append(record)
    assert (await command(log)).replayed == 1
    before, again = log.partitions[Partition(EVENTS, 2)]
    assert (again.key, again.value) == (before.key, before.value)
    assert again.headers[: len(before.headers)] == before.headers
    assert origin_of(again) == Origin(place, 1)


async def test_a_replay_that_failed_again_is_put_back_under_the_first_origin() -> None:
    log = MemoryLog({EVENTS: 1, LETTERS: 1})
    first = log.append(OutputRecord(EVENTS, b"k", b"odd"))
    for _ in range(3):
        last = log.records(EVENTS)[-1]
        for record in letter_records(b"odd", place=last.coordinates, headers=last.headers):
            log.append(record)
        assert (await command(log)).replayed == 1
    told = [origin_of(it) for it in log.records(EVENTS)]
    assert told == [None, Origin(first, 1), Origin(first, 2), Origin(first, 3)]


async def test_by_force_it_is_put_back_again_with_the_next_number() -> None:
    log = log_with(1, offset=0)
    log.append(OutputRecord(EVENTS, b"k", b"the first", partition=0))
    for number in (1, 2, 3):
        assert (await command(log, choose=lambda _: True)).replayed == 1
        assert origin_of(log.records(EVENTS)[-1]) == Origin(Coordinates(EVENTS, 0, 0), number)
    assert [it.forced for it in notes(log)] == [False, True, True]


async def test_a_note_stands_beside_its_letter() -> None:
    """Else it might be deleted before it, and the letter could be put back again."""
    log = log_with(9)
    await command(log)
    for partition, records in log.partitions.items():
        if partition.topic == LETTERS:
            ids = [(it.header("ce_type") or b"").endswith(b"replayed.v1") for it in records]
            assert ids == sorted(ids)
            letters = {it.letter_id for it in _letters(log) if it.found[0][:2] == partition}
            here = {
                Replayed.model_validate_json(it.value or b"").dead_letter_id
                for it, note in zip(records, ids, strict=True)
                if note
            }
            assert here == letters


def _letters(log: MemoryLog) -> list[Letter]:
    catalogue = Catalogue()
    for record in log.records(LETTERS):
        catalogue.take(record)
    return catalogue.letters()


async def test_one_that_the_broker_refuses_keeps_no_other_back() -> None:
    log = log_with(7, max_record_bytes=90_000)
    told = await command(log)
    assert told.replayed == 5
    assert [it.place.offset for it in told.refused] == [102, 105]
    assert {it.value for it in log.records(EVENTS)} == {b"value %d" % it for it in (0, 1, 3, 4, 6)}
    assert (await command(log)).replayed == 0


async def test_asked_to_stop_it_ends_between_two_transactions_and_can_go_on() -> None:
    log = log_with(250)
    asked: list[PutBack] = []
    told = await command(log, stop=lambda: bool(asked), show=asked.append)
    assert (told.replayed, told.stopped, told.fault) == (100, True, None)
    assert len(log.records(EVENTS)) == 100
    told = await command(log)
    assert (told.replayed, told.stopped) == (150, False)
    assert len({it.header("afterguard-origin") for it in log.records(EVENTS)}) == 250


async def test_to_another_topic_it_names_no_origin() -> None:
    log = log_with(2)
    log.partitions[Partition("events.v2", 0)] = []
    await command(log, to="events.v2")
    assert [it.headers for it in log.records("events.v2")] == [(), ()]
    assert log.records(EVENTS) == []
    assert {it.to_topic for it in notes(log)} == {"events.v2"}


async def test_a_letter_that_is_not_whole_is_never_put_back() -> None:
    log = MemoryLog({EVENTS: 1, LETTERS: 1})
    for record in letter_records(LARGE, place=Coordinates(EVENTS, 0, 0))[1:]:
        log.append(record)
    assert (await command(log)).replayed == 0
    assert log.records(EVENTS) == []


async def test_one_with_neither_key_nor_value_is_told_and_keeps_no_other_back() -> None:
    """The producer cannot write it."""
    log = MemoryLog({EVENTS: 1, LETTERS: 1})
    for offset, (key, value) in enumerate([(None, None), (b"k", None), (None, b"x")]):
        place = Coordinates(EVENTS, 0, offset)
        for record in letter_records(value, place=place, key=key):
            log.append(record)
    told = await command(log)
    assert (told.replayed, [it.place.offset for it in told.refused]) == (2, [0])
    assert [(it.key, it.value) for it in log.records(EVENTS)] == [(b"k", None), (None, b"x")]
