"""Thresholds: by their lower bound, as cheap as can be, and honest about rows not chosen on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterguard.evaluation.thresholds import (
    CONFIDENCE,
    Fold,
    Kind,
    Want,
    check,
    choose,
)
from afterguard.prefilter.bound import lower_bound

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=60)
WANTS = st.builds(Want, st.sampled_from(Kind), st.sampled_from([0.3, 0.5, 0.8, 0.95]))


def drawn(rows: int, seed: int, sharpness: float = 2.0) -> tuple[list[bool], list[float]]:
    """Labels, and scores that rise with them."""
    random = np.random.default_rng(seed)
    labels = random.random(rows) < 0.4
    places = random.normal(0, 1, rows) + sharpness * (labels - 0.5)
    return [bool(it) for it in labels], [float(it) for it in 1 / (1 + np.exp(-places))]


@given(ROWS, WANTS)
def test_no_candidate_that_passes_is_cheaper(rows: list[tuple[bool, int]], want: Want) -> None:
    labels, scores = [label for label, _ in rows], [score / 20 for _, score in rows]
    chosen = choose(labels, scores, want)

    def low(threshold: float) -> float:
        flagged = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
        of = len(flagged) if want.kind is Kind.PRECISION else sum(labels)
        return lower_bound(sum(flagged), of, CONFIDENCE)

    lines = {min(max(score, 0.0001), 0.9999) for score in scores}
    passing = [line for line in lines if low(line) >= want.least]
    if chosen.threshold is None:
        assert not passing
        assert chosen.reason
        return
    best = min(passing) if want.kind is Kind.PRECISION else max(passing)
    assert chosen.threshold == pytest.approx(best)
    assert chosen.low == pytest.approx(low(chosen.threshold))


@given(ROWS, WANTS)
def test_a_threshold_can_be_written_into_a_policy(rows: list[tuple[bool, int]], want: Want) -> None:
    chosen = choose([label for label, _ in rows], [score / 20 for _, score in rows], want)
    if chosen.threshold is not None:
        assert 0 < chosen.threshold < 1
        assert chosen.threshold == float(f"{chosen.threshold:.4f}")


def test_what_is_told_is_what_the_threshold_gives() -> None:
    labels, scores = drawn(500, 1)
    chosen = choose(labels, scores, Want(Kind.RECALL, 0.9))
    assert chosen.threshold is not None
    flagged = [score >= chosen.threshold for score in scores]
    hits = sum(flag and label for flag, label in zip(flagged, labels, strict=True))
    assert chosen.flagged == sum(flagged) / 500
    assert chosen.recall.value == hits / sum(labels)
    assert chosen.precision.value == hits / sum(flagged)


def test_too_few_rows_show_nothing_and_say_how_many_it_takes() -> None:
    chosen = choose([True] * 20 + [False] * 20, [0.9] * 20 + [0.1] * 20, Want(Kind.RECALL, 0.95))
    assert chosen.threshold is None
    assert "59 violations" in chosen.reason


def test_without_violations_there_is_no_threshold() -> None:
    assert choose([False] * 5, [0.5] * 5, Want(Kind.PRECISION, 0.5)).threshold is None


def test_thresholds_that_hold_are_said_to_hold() -> None:
    labels, scores = drawn(2_000, 2)
    half = 1_000
    folds = [
        Fold(labels[:half], scores[:half], labels[half:], scores[half:]),
        Fold(labels[half:], scores[half:], labels[:half], scores[:half]),
    ]
    held = check(folds, Want(Kind.RECALL, 0.8))
    assert held.folds == 2
    assert held.figure.value == pytest.approx(0.83, abs=0.05)
    assert held.holds


def test_thresholds_that_fit_the_rows_alone_are_said_not_to_hold() -> None:
    labels, scores = drawn(400, 3)
    shuffled = [scores[(place * 157) % 400] for place in range(400)]
    held = check([Fold(labels, scores, labels, shuffled)], Want(Kind.PRECISION, 0.8))
    assert held.figure.value is not None
    assert held.figure.value < 0.6
    assert not held.holds


def test_no_fold_without_a_threshold_is_checked() -> None:
    held = check([Fold([True], [0.9], [True], [0.9])], Want(Kind.RECALL, 0.9))
    assert (held.folds, held.figure.value, held.low, held.holds) == (0, None, None, False)


def test_a_recall_that_was_wanted_is_reached_on_other_rows_nearly_always() -> None:
    reached = 0
    for seed in range(100):
        labels, scores = drawn(300, seed)
        others, unseen = drawn(4_000, seed + 1_000)
        chosen = choose(labels, scores, Want(Kind.RECALL, 0.9))
        assert chosen.threshold is not None
        found = [score >= chosen.threshold for score in unseen]
        hits = sum(flag and label for flag, label in zip(found, others, strict=True))
        reached += hits / sum(others) >= 0.9
    assert reached >= 90
