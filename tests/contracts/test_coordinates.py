"""Ids follow from where a record stands, and from nothing else."""

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from afterguard.contracts.coordinates import (
    Coordinates,
    dead_letter_id,
    intervention_id,
    verdict_id,
)

places = st.builds(
    Coordinates,
    st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True),
    st.integers(0, 1_000),
    st.integers(0, 2**63 - 1),
)
policies = st.from_regex(r"[a-z][a-z0-9-]{1,20}", fullmatch=True)
versions = st.from_regex(r"[0-9a-f]{16}", fullmatch=True)


def test_ids_never_change_between_releases() -> None:
    """Consumers keep these ids as idempotency keys; a change would act twice on old records."""
    place = Coordinates("chat.events", 3, 42)
    assert [
        verdict_id(place, "harassment", "00000000000000aa"),
        intervention_id(place),
        intervention_id(place, 1),
        dead_letter_id(place),
    ] == [UUID(text) for text in PINNED]


PINNED = [
    "7302eb12-fdf5-520c-bdf3-58dc86e7fcbb",
    "ae68147c-c5ea-5858-b203-d51081f0b05f",
    "3f1dd4dc-2472-5880-a1ff-bf5014d880ca",
    "db03a133-7322-5c61-8322-f5290697d922",
]


@given(places, policies, versions)
def test_the_same_record_and_policy_version_give_the_same_id(
    place: Coordinates, policy: str, version: str
) -> None:
    again = Coordinates(place.topic, place.partition, place.offset)
    assert verdict_id(place, policy, version) == verdict_id(again, policy, version)


verdicts = st.tuples(places, policies, versions)


@given(st.sets(verdicts, min_size=2, max_size=8))
def test_whatever_differs_gives_another_verdict_id(
    different: set[tuple[Coordinates, str, str]],
) -> None:
    assert len({verdict_id(*one) for one in different}) == len(different)


@given(places, st.integers(0, 5))
def test_kinds_of_ids_never_collide(place: Coordinates, number: int) -> None:
    ids = {
        verdict_id(place, "spam", "00000000000000aa"),
        intervention_id(place, number),
        dead_letter_id(place, number),
    }
    assert len(ids) == 3
    assert all((one.version, one.variant) == (5, RFC_4122) for one in ids)
