"""A replayed record names its origin, and nobody can take the ids of another record by it."""

from hypothesis import given
from hypothesis import strategies as st
from tests.samples import input_record

from afterguard.contracts.coordinates import Coordinates, intervention_id
from afterguard.contracts.records import Headers
from afterguard.contracts.replays import (
    ORIGIN_HEADER,
    REPLAY_HEADER,
    Origin,
    claims_origin,
    origin_of,
    with_origin,
    without_origin,
)

HERE = Coordinates("chat.events", 3, 50)

names = st.sampled_from(["ce_id", "traceparent", "", ORIGIN_HEADER, REPLAY_HEADER])
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=8)), max_size=5).map(tuple)


def read(*told: tuple[str, bytes | None]) -> Origin | None:
    return origin_of(input_record(coordinates=HERE, headers=told))


@given(headers, st.integers(0, 49), st.integers(1, 999_999))
def test_what_is_written_is_read_and_the_producers_headers_stay(
    before: Headers, offset: int, replay: int
) -> None:
    origin = Origin(Coordinates(*HERE[:2], offset), replay)
    record = input_record(coordinates=HERE, headers=with_origin(before, origin))
    assert origin_of(record) == origin
    assert claims_origin(record)
    assert without_origin(record.headers) == without_origin(before)
    assert with_origin(record.headers, origin) == record.headers


@given(headers)
def test_any_headers_are_an_origin_before_this_record_or_none(told: Headers) -> None:
    origin = read(*told)
    assert origin is None or (origin.coordinates < HERE and origin.replay >= 1)


def test_only_an_earlier_record_of_the_same_partition_is_believed() -> None:
    """Else a producer could take the ids of a record that is still to come."""
    for place in (
        "chat.events/3/50",
        "chat.events/3/51",
        "chat.events/2/7",
        "other/3/7",
        "chat.events/3/-7",
        "chat.events/3/07",
        "chat.events/3/7 ",
        "chat.events/3",
        "",
    ):
        assert read((ORIGIN_HEADER, place.encode()), (REPLAY_HEADER, b"1")) is None, place
    assert read((ORIGIN_HEADER, b"chat.events/3/49"), (REPLAY_HEADER, b"1")) is not None


def test_half_a_claim_or_two_of_them_are_none() -> None:
    place, number = (ORIGIN_HEADER, b"chat.events/3/7"), (REPLAY_HEADER, b"1")
    assert read(place) is None
    assert read(number) is None
    assert read(place, place, number) is None
    assert read(place, number, number) is None
    assert read(place, (REPLAY_HEADER, None)) is None
    assert read(place, (REPLAY_HEADER, b"0")) is None


@given(st.integers(1, 999_999))
def test_no_replay_has_the_id_of_a_first_intervention(replay: int) -> None:
    assert intervention_id(HERE, replay) != intervention_id(HERE)
