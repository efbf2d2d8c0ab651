"""Digests: the same for ever, for keys and samples outlive the worker that made them."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.contracts.digests import digest_of, in_share

parts = st.lists(st.text(max_size=8), max_size=4)
shares = st.floats(0, 1)


@given(parts, parts)
def test_texts_do_not_run_into_each_other(one: list[str], other: list[str]) -> None:
    assert (digest_of(*one, size=8) == digest_of(*other, size=8)) == (one == other)


def test_a_digest_is_what_it_always_was() -> None:
    texts = ("harassment", "", "caf\u00e9")
    assert digest_of(*texts, size=8).hex() == "3dcdcc780068e9cf"
    assert digest_of(*texts, size=8, person=b"bypass").hex() == "26d2549136a6dae2"


@given(st.binary(min_size=8, max_size=8), shares, shares)
def test_a_larger_share_keeps_all_of_a_smaller_one(digest: bytes, one: float, two: float) -> None:
    small, large = sorted((one, two))
    assert in_share(digest, small) <= in_share(digest, large)
    assert in_share(digest, 1)
    assert not in_share(digest, 0)
