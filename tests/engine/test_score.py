"""The score is read where the label was written, or not at all."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.engine.score import (
    LEAST_LABEL_MASS,
    verdict_position,
    verdict_positions,
    violation_score,
)

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


def _verdict(policy: str, label: str) -> list[str]:
    return ['{"policy":"', policy, '","violation":', label, ',"rules":[]}']


@pytest.mark.parametrize(
    ("tokens", "positions"),
    [
        ([*_verdict("a", "0"), ",", *_verdict("b", "1")], {"a": 3, "b": 9}),
        # Whatever stands before the answer names a policy that was named already.
        (
            [*_verdict("a", "1"), "no: ", *_verdict("a", "0"), *_verdict("b", "1")],
            {"a": 9, "b": 14},
        ),
        # A label inside a longer token is not found, and no other stands in for it.
        (['{"policy":"a","violation":0,"rules":[]},', *_verdict("b", "1")], {"b": 4}),
        ([*_verdict("a", "0"), ',{"policy":"b","violation":1}'], {"a": 3}),
        # The policy does not stand before its label: whose it is could only be guessed.
        (['{"violation":', "0", ',"policy":"a"},{"violation":', "1", ',"policy":"b"}'], {}),
        (['{"violation":', "0", "}"], {}),
        ([], {}),
    ],
)
def test_each_label_of_a_combined_answer_is_found_behind_its_policy(
    tokens: list[str], positions: dict[str, int]
) -> None:
    assert verdict_positions(tokens, LABELS, "".join) == positions


def test_a_label_is_found_behind_the_longest_id_at_one_token_a_character() -> None:
    policy = "p" * 64
    tokens = list("".join(_verdict(policy, "1")))
    assert verdict_positions(tokens, LABELS, "".join) == {policy: tokens.index("1")}


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
