"""Selection: a sample is drawn from a seed, and keeps the order of the file."""

from hypothesis import given
from hypothesis import strategies as st
from tests.evaluation.runs import row

from afterguard.evaluation.selection import chosen_rows

ROWS = [row(number) for number in range(30)]


def test_without_a_seed_the_first_rows_are_taken() -> None:
    assert chosen_rows(ROWS, 4, None) == ROWS[:4]


def test_without_a_limit_all_are_taken() -> None:
    assert chosen_rows(ROWS, None, 7) == ROWS


@given(limit=st.integers(1, 40), seed=st.integers())
def test_a_sample_is_the_same_for_the_same_seed_and_in_the_order_of_the_file(
    limit: int, seed: int
) -> None:
    drawn = chosen_rows(ROWS, limit, seed)
    assert drawn == chosen_rows(ROWS, limit, seed)
    assert len(drawn) == min(limit, len(ROWS))
    assert drawn == [it for it in ROWS if it in drawn]


def test_other_seeds_draw_other_rows() -> None:
    samples = [tuple(it.row_id for it in chosen_rows(ROWS, 5, seed)) for seed in range(8)]
    assert len(set(samples)) > 1
