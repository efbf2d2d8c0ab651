"""Dead letters are read back as they were written, and whatever else lies there is no hindrance."""

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.samples import NOON
from tests.stream.letters import TOPICS, letter_records

from afterguard.contracts.cloudevents import REPLAYED
from afterguard.contracts.coordinates import Coordinates, dead_letter_id
from afterguard.contracts.records import InputRecord, OutputRecord
from afterguard.contracts.replays import Origin, with_origin
from afterguard.stream.dead_letters import Catalogue, Contents, Letter

PLACE = Coordinates("chat.events", 3, 42)
LARGE = bytes(range(256)) * 800


def stored(records: list[OutputRecord], first: int = 0) -> list[InputRecord]:
    """The records as they are read from one partition."""
    return [
        InputRecord(Coordinates(it.topic, 0, first + number), it.key, it.value, it.headers)
        for number, it in enumerate(records)
    ]


def read(records: list[InputRecord]) -> Catalogue:
    catalogue = Catalogue()
    for record in records:
        catalogue.take(record)
    return catalogue


def only(catalogue: Catalogue) -> Letter:
    (letter,) = catalogue.letters()
    return letter


def joined(letter: Letter, records: list[InputRecord]) -> Any:
    contents = Contents([letter])
    for record in records:
        contents.take(record)
    (original,) = contents.originals()
    return original


values = st.none() | st.binary(max_size=200) | st.integers(20_000, 150_000).map(lambda n: b"x" * n)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=20)), max_size=3).map(tuple)


@given(values, headers, st.none() | st.binary(max_size=30), st.randoms())
def test_a_letter_gives_back_the_record_whatever_the_order_of_its_parts(
    value: bytes | None, headers: Any, key: bytes | None, shuffle: Any
) -> None:
    records = stored(letter_records(value, place=PLACE, headers=headers, key=key))
    shuffle.shuffle(records)
    letter = only(read(records))
    original = joined(letter, records)
    assert letter.whole
    assert (original.key, original.value, original.headers) == (key, value, headers)
    assert letter.letter_id == dead_letter_id(PLACE)


def test_a_letter_without_one_of_its_parts_is_incomplete() -> None:
    records = stored(letter_records(LARGE, place=PLACE))
    assert len(records) > 2
    for missing in range(len(records)):
        letter = only(read([it for number, it in enumerate(records) if number != missing]))
        assert not letter.whole
        assert (len(letter.found), letter.parts) == (len(records) - 1, len(records))


def test_a_letter_that_was_written_again_after_a_crash_is_one_letter() -> None:
    """The first writing broke off, and the second cut the record into other parts."""
    later = NOON + timedelta(seconds=9)
    first = letter_records(LARGE, place=PLACE)[:1]
    second = letter_records(LARGE, place=PLACE, limit=90_000, now=later)
    records = stored([*first, *second])
    letter = only(read(records))
    assert letter.whole
    assert letter.recorded_at == later
    assert joined(letter, records).value == LARGE


def test_a_whole_writing_goes_before_a_later_one_that_broke_off() -> None:
    first = letter_records(LARGE, place=PLACE)
    second = letter_records(LARGE, place=PLACE, now=NOON + timedelta(seconds=9))[:-1]
    assert only(read(stored([*first, *second]))).whole


def test_the_letter_of_a_replay_names_the_origin() -> None:
    origin = Origin(Coordinates(*PLACE[:2], 7), 2)
    records = stored(letter_records(b"x", place=PLACE, headers=with_origin((), origin)))
    catalogue = read(records)
    letter = only(catalogue)
    assert (letter.place, letter.origin) == (PLACE, origin)
    assert catalogue.next_replay(origin.coordinates) == 3


def test_a_letter_that_lost_its_headers_still_names_the_origin_and_says_so() -> None:
    origin = Origin(Coordinates(*PLACE[:2], 7), 1)
    told = with_origin((("h", b"x" * 50_000),), origin)
    letter = only(read(stored(letter_records(b"x", place=PLACE, headers=told))))
    assert letter.left_out
    assert letter.origin == origin


noise = st.one_of(
    st.none(),
    st.binary(max_size=60),
    st.sampled_from([b"{}", b"[]", b"null", b"1e999", b"[" * 5_000, b'{"dead_letter_id": "x"}']),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    ).map(lambda it: repr(it).encode()),
)
marks = st.sampled_from([(), (("ce_type", REPLAYED.encode()),), (("ce_type", None),)])


@given(st.lists(st.tuples(noise, marks), max_size=8), st.data())
def test_any_bytes_on_the_topic_are_counted_and_hide_no_letter(
    odd: list[tuple[bytes | None, Any]], data: st.DataObject
) -> None:
    foreign = [OutputRecord(TOPICS.dead_letters, None, value, mark) for value, mark in odd]
    records = data.draw(st.permutations([*letter_records(b"x", place=PLACE), *foreign]))
    catalogue = read(stored(list(records)))
    assert only(catalogue).whole
    assert catalogue.foreign == len(foreign)


fields = {
    b'"topic":"chat.events"': [b'"topic":"a/b"', b'"topic":""', b'"topic":"\\u001b[2J"'],
    b'"partition":3': [b'"partition":-1', b'"partition":4', b'"partition":' + b"9" * 400],
    b'"offset":42': [b'"offset":-1', b'"offset":43'],
    b'"part":0': [b'"part":1', b'"part":-1'],
    b'"parts":1': [b'"parts":0'],
    b'"value":"eA=="': [b'"value":"e"', b'"value":1', b'"value":"\\ud800"'],
    b'"headers":[]': [b'"headers":[["h"]]', b'"headers":{}'],
}


def test_what_looks_like_a_letter_and_cannot_be_one_is_foreign() -> None:
    (written,) = letter_records(b"x", place=PLACE)
    for field, forged in fields.items():
        for other in forged:
            value = (written.value or b"").replace(field, other)
            assert value != written.value
            catalogue = read(stored([written._replace(value=value)]))
            assert (catalogue.letters(), catalogue.foreign) == ([], 1), other
