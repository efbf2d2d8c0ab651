"""Groups: rows that share anything belong together, through others too."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.evaluation.groups import grouped

KEYS = st.lists(st.lists(st.sampled_from("abcdef"), max_size=3), max_size=12)


def test_rows_are_joined_through_a_third() -> None:
    text, conversation = "same words", "c-1"
    rows = [[text, "c-2"], ["others", conversation], [text, conversation], ["alone", "c-9"]]
    assert grouped(rows) == [0, 0, 0, 1]


def test_a_row_without_keys_stands_alone() -> None:
    assert grouped([[], ["a"], [], ["a"]]) == [0, 1, 2, 1]


@given(KEYS)
def test_rows_with_a_common_key_share_a_group(keys: list[list[str]]) -> None:
    groups = grouped(keys)
    for one, first in zip(keys, groups, strict=True):
        for two, second in zip(keys, groups, strict=True):
            assert first == second or not set(one) & set(two)


@given(KEYS)
def test_groups_have_no_more_rows_than_keys_join(keys: list[list[str]]) -> None:
    groups = grouped(keys)
    for group in set(groups):
        members = [set(row) for row, number in zip(keys, groups, strict=True) if number == group]
        reached = members.pop(0)
        while joined := [row for row in members if row & reached]:
            reached |= set.union(*joined)
            members = [row for row in members if row not in joined]
        assert not members
