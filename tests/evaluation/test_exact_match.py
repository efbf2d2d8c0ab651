"""Exact match: only rows that are labelled and judged under every policy count."""

from hypothesis import given
from hypothesis import strategies as st

from afterguard.evaluation.exact_match import exact_match, whole_matches

POLICIES = ("spam", "hate")
SOME = st.dictionaries(st.sampled_from(POLICIES), st.booleans())


def test_a_row_is_right_when_each_of_its_policies_is() -> None:
    expected = [{"spam": True, "hate": False}, {"spam": True, "hate": False}]
    flagged = [{"spam": True, "hate": False}, {"spam": True, "hate": True}]
    found = exact_match(expected, flagged, POLICIES)
    assert (found.rows, found.share.value, found.nothing.value) == (2, 0.5, 0.0)


def test_an_unknown_label_leaves_its_row_out_and_is_no_no() -> None:
    expected = [{"spam": False}, {"spam": False, "hate": False}]
    silent = {"spam": False, "hate": False}
    found = exact_match(expected, [silent, silent], POLICIES)
    assert (found.rows, found.left_out, found.share.value) == (1, 1, 1.0)


def test_a_row_that_was_not_judged_under_a_policy_is_left_out() -> None:
    labels = {"spam": False, "hate": False}
    assert exact_match([labels], [{"spam": False}], POLICIES).rows == 0


def test_without_a_whole_row_there_is_no_figure() -> None:
    found = exact_match([{}], [{}], POLICIES)
    assert found.share.value is None
    assert found.share.reason
    assert exact_match([{}], [{}], ()).share.value is None


@given(st.lists(st.tuples(SOME, SOME), max_size=15))
def test_never_flagging_anything_gets_exactly_what_is_called_nothing(
    rows: list[tuple[dict[str, bool], dict[str, bool]]],
) -> None:
    expected = [labels for labels, _ in rows]
    silent = [dict.fromkeys(flags, False) for _, flags in rows]
    found = exact_match(expected, silent, POLICIES)
    assert found.share.value == found.nothing.value
    assert found.rows + found.left_out == len(rows)


@given(st.lists(st.tuples(SOME, SOME), max_size=15))
def test_the_share_is_that_of_the_rows_that_match(
    rows: list[tuple[dict[str, bool], dict[str, bool]]],
) -> None:
    whole = [(labels, flags) for labels, flags in rows if len(labels) == len(flags) == 2]
    expected, flagged = [labels for labels, _ in rows], [flags for _, flags in rows]
    found = exact_match(expected, flagged, POLICIES)
    assert found.rows == len(whole)
    assert whole_matches(expected, flagged, POLICIES).count(True) == sum(
        labels == flags for labels, flags in whole
    )
