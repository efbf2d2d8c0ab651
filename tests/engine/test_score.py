"""The score is read where the label was written, or not at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.engine.score import LEAST_LABEL_MASS, verdict_position, violation_score

LABELS = ("0", "1")
LOGPROBS = st.floats(-800, 0) | st.just(-math.inf)


def _position(tokens: list[str]) -> int | None:
    return verdict_position(tokens, LABELS, "".join)


@pytest.mark.parametrize(
    ("tokens", "position"),
    [
        (['{"', "violation", '":', "1", ',"'], 3),
        (['{"violation":', "0", ',"rules":[]}'], 1),
        (['{"violation": "', "1", '"}'], 1),
        (['{"violation":', "0", "} ", '{"violation":', "1", "}"], 4),
        (['{"violation":1', "}"], None),
        (["0", "1"], None),
        (['{"rules":["H', "1", '"]}'], None),
        ([], None),
    ],
)
def test_the_label_is_found_where_it_is_a_token_of_its_own(
    tokens: list[str], position: int | None
) -> None:
    assert _position(tokens) == position


@given(LOGPROBS, LOGPROBS, st.booleans())
def test_a_score_is_a_probability_or_absent(zero: float, one: float, label: bool) -> None:
    score = violation_score({"0": zero, "1": one}, LABELS, label=label)
    assert score is None or 0 <= score <= 1


@given(st.floats(-3, 0), st.floats(-3, 0))
def test_both_labels_share_one(zero: float, one: float) -> None:
    score = violation_score({"0": zero, "1": one}, LABELS, label=True)
    mirrored = violation_score({"0": one, "1": zero}, LABELS, label=True)
    assert score is not None
    assert mirrored is not None
    assert score + mirrored == pytest.approx(1)


@given(st.floats(-3, 0), st.floats(-3, 0))
def test_it_is_above_a_half_exactly_when_the_violation_is_likelier(zero: float, one: float) -> None:
    score = violation_score({"0": zero, "1": one}, LABELS, label=True)
    assert score is not None
    assert (score > 0.5) is (one > zero) or score == pytest.approx(0.5)


@pytest.mark.parametrize(
    "logprobs",
    [
        {"0": -0.1},
        {"1": -0.1},
        {},
        {"0": math.nan, "1": -0.1},
        {"0": math.log(LEAST_LABEL_MASS) - 1, "1": -50.0},
        {"0": -0.1, "1": -math.inf},
    ],
)
def test_where_the_labels_say_nothing_there_is_no_score(logprobs: dict[str, float]) -> None:
    assert violation_score(logprobs, LABELS, label=True) is None
