"""Calibration at work: curves that never fall, applied to exactly what they were fitted for."""

import math
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from tests.policy.calibrations import calibration, fit
from tests.samples import policy

from afterguard.contracts.errors import PolicyError, SettingsError
from afterguard.contracts.words import Effort
from afterguard.policy.calibration import FittedScores, curve_of, fitted_scores, what_is_read
from afterguard.policy.calibration_document import (
    Calibration,
    IsotonicCurve,
    PlattCurve,
    parse_calibration,
    read_calibration,
    write_calibration,
)
from afterguard.policy.settings import PolicySettings

MODEL = "scripted-1"
IDENTITY: dict[str, Any] = {"method": "platt", "slope": 1.0, "intercept": 0.0}
SCORES = st.floats(0, 1)


@st.composite
def isotonic(draw: st.DrawFn) -> IsotonicCurve:
    scores = draw(st.lists(SCORES, min_size=2, max_size=8, unique=True))
    values = draw(st.lists(SCORES, min_size=len(scores), max_size=len(scores)))
    return IsotonicCurve(knots=tuple(zip(sorted(scores), sorted(values), strict=True)))


PLATTS = st.builds(PlattCurve, slope=st.floats(0.001, 1_000), intercept=st.floats(-1_000, 1_000))


@given(st.one_of(PLATTS, isotonic()), SCORES, SCORES)
def test_a_curve_never_falls_and_stays_within_0_and_1(
    shape: PlattCurve | IsotonicCurve, one: float, two: float
) -> None:
    curve = curve_of(shape)
    low, high = curve(min(one, two)), curve(max(one, two))
    assert 0 <= low <= high <= 1


@given(isotonic())
def test_an_isotonic_curve_goes_through_its_knots(shape: IsotonicCurve) -> None:
    inner = [(score, value) for score, value in shape.knots if 1e-7 < score < 1 - 1e-7]
    for score, value in inner:
        near = [other for other, _ in shape.knots if abs(other - score) < 1e-12]
        assert len(near) > 1 or curve_of(shape)(score) == pytest.approx(value)


def test_platts_curve_is_logistic_over_the_logit() -> None:
    curve = curve_of(PlattCurve(slope=2, intercept=-1))
    assert curve(0.5) == pytest.approx(1 / (1 + math.e))
    assert curve(0.8) == pytest.approx(1 / (1 + math.exp(1 - 2 * math.log(4))))


def test_a_slope_of_one_and_no_intercept_leave_scores_as_they_are() -> None:
    curve = curve_of(PlattCurve(slope=1, intercept=0))
    assert [curve(score) for score in (0.001, 0.3, 0.9)] == pytest.approx([0.001, 0.3, 0.9])


def test_a_score_of_what_was_fitted_becomes_its_probability() -> None:
    scores = FittedScores(MODEL, [calibration(policy(), MODEL)])
    assert scores.covers(policy())
    assert scores.calibrated(0.5, policy(), Effort.LOW) == pytest.approx(1 / (1 + math.e))


@pytest.mark.parametrize(
    ("changed", "model", "effort"),
    [
        ({"body": "## Instruction\nJudge otherwise."}, MODEL, Effort.LOW),
        ({"title": "Harassment and more"}, MODEL, Effort.LOW),
        ({"id": "other"}, MODEL, Effort.LOW),
        ({}, "another-model", Effort.LOW),
        ({}, MODEL, Effort.HIGH),
    ],
)
def test_nothing_is_applied_to_another_text_model_or_effort(
    changed: dict[str, Any], model: str, effort: Effort
) -> None:
    scores = FittedScores(model, [calibration(policy(), MODEL)])
    judged_under = policy(version="00000000000000bb", **changed) if changed else policy()
    assert scores.calibrated(0.5, judged_under, effort) is None


def test_a_new_threshold_makes_a_new_version_and_keeps_what_scores_mean() -> None:
    scores = FittedScores(MODEL, [calibration(policy(), MODEL)])
    tightened = policy(version="00000000000000bb", threshold=0.8, uncertain=(0.2, 0.79))
    assert what_is_read(tightened) == what_is_read(policy())
    assert scores.calibrated(0.5, tightened, Effort.LOW) is not None


def test_what_comes_with_a_release_is_applied_at_once_and_to_that_version_alone() -> None:
    in_force, on_trial = policy(), policy(version="00000000000000bb", threshold=0.8)
    scores = FittedScores(MODEL)
    assert scores.calibrated(0.5, on_trial, Effort.LOW) is None
    scores.release(on_trial, calibration(on_trial, MODEL))
    assert scores.calibrated(0.5, on_trial, Effort.LOW) == pytest.approx(1 / (1 + math.e))
    assert scores.calibrated(0.5, in_force, Effort.LOW) is None


def test_a_release_comes_before_the_folder_and_leaves_other_versions_theirs() -> None:
    old, new = policy(), policy(version="00000000000000bb", threshold=0.8)
    scores = FittedScores(MODEL, [calibration(old, MODEL)])
    before = scores.calibrated(0.25, old, Effort.LOW)
    scores.release(new, calibration(new, MODEL, IDENTITY))
    assert scores.calibrated(0.25, new, Effort.LOW) == pytest.approx(0.25)
    assert scores.calibrated(0.25, old, Effort.LOW) == before


def test_a_version_that_is_released_again_is_judged_by_what_comes_with_it_then() -> None:
    version, other = policy(), policy(version="00000000000000bb")
    scores = FittedScores(MODEL)
    for it in (version, other):
        scores.release(it, calibration(it, MODEL, IDENTITY))
    scores.release(version, calibration(version, MODEL, IDENTITY, effort=Effort.HIGH))
    assert scores.calibrated(0.25, version, Effort.LOW) is None
    assert scores.calibrated(0.25, version, Effort.HIGH) == pytest.approx(0.25)
    scores.release(version, None)
    assert scores.calibrated(0.25, version, Effort.HIGH) is None
    assert scores.calibrated(0.25, other, Effort.LOW) == pytest.approx(0.25)


def test_a_release_whose_calibration_is_of_another_text_is_logged_and_applied_to_nothing() -> None:
    other = calibration(policy(body="## Instruction\nOther."), MODEL)
    scores = FittedScores(MODEL)
    with structlog.testing.capture_logs() as logs:
        scores.release(policy(), other)
    assert scores.calibrated(0.5, policy(), Effort.LOW) is None
    assert [it["policy"] for it in logs] == ["harassment"]


def test_a_file_that_was_written_is_read_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "harassment.json"
    written = calibration(policy(), MODEL).with_fit(
        fit(
            policy(),
            MODEL,
            {"method": "isotonic", "knots": [[0.1, 0.2], [0.9, 0.7]]},
            effort="high",
        )
    )
    write_calibration(path, written)
    assert read_calibration(path) == written
    assert [it.name for it in path.parent.iterdir()] == [path.name]


def test_a_fit_takes_the_place_of_the_one_for_the_same_text_model_and_effort() -> None:
    both = calibration(policy(), MODEL).with_fit(fit(policy(), "another-model"))
    again = both.with_fit(fit(policy(), MODEL, rows=500))
    assert sorted(it.rows for it in again.fits) == [400, 500]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"form": 2}, "form"),
        ({"policy": "No Such"}, "policy"),
        ({"fits": [{}]}, "fits.0.version"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_fault_names_file_and_field(change: dict[str, Any], field: str) -> None:
    fields = calibration(policy(), MODEL).model_dump(mode="json") | change
    with pytest.raises(PolicyError, match=r"broken\.json") as raised:
        parse_calibration(orjson.dumps(fields).decode(), Path("broken.json"))
    assert raised.value.field == field


@pytest.mark.parametrize(
    "curve",
    [
        {"method": "platt", "slope": 0.0, "intercept": 0.0},
        {"method": "platt", "slope": -1.0, "intercept": 0.0},
        {"method": "isotonic", "knots": [[0.1, 0.5], [0.9, 0.4]]},
        {"method": "isotonic", "knots": [[0.9, 0.4], [0.1, 0.5]]},
        {"method": "isotonic", "knots": [[0.1, 0.4]]},
        {"method": "isotonic", "knots": [[0.1, 0.4], [0.9, 1.4]]},
        {"method": "magic"},
    ],
)
def test_a_curve_that_falls_or_leaves_0_to_1_is_refused(curve: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        fit(policy(), MODEL, curve)


def test_two_fits_for_the_same_thing_are_refused() -> None:
    one = fit(policy(), MODEL)
    with pytest.raises(ValueError, match="same text, model and effort"):
        Calibration(policy="harassment", fits=(one, one))


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"", b"null"])
def test_a_file_that_is_no_calibration_is_told_by_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "harassment.json"
    path.write_bytes(content)
    with pytest.raises(PolicyError, match=r"harassment\.json"):
        read_calibration(path)


def test_a_file_must_be_named_after_its_policy(tmp_path: Path) -> None:
    path = tmp_path / "spam.json"
    write_calibration(path, calibration(policy(), MODEL))
    with pytest.raises(PolicyError, match="named after spam"):
        read_calibration(path)


def test_calibrations_stand_in_the_folder_of_the_policies_unless_set(tmp_path: Path) -> None:
    write_calibration(tmp_path / "calibration" / "harassment.json", calibration(policy(), MODEL))
    write_calibration(tmp_path / "else" / "harassment.json", calibration(policy(), "other"))
    beside = PolicySettings(directory=tmp_path)
    assert fitted_scores(beside, MODEL).covers(policy())
    set_apart = PolicySettings(directory=tmp_path, calibration=tmp_path / "else")
    assert not fitted_scores(set_apart, MODEL).covers(policy())


def test_without_a_folder_no_score_is_calibrated() -> None:
    assert not fitted_scores(PolicySettings(), MODEL).covers(policy())


def test_a_folder_that_is_set_and_missing_is_told(tmp_path: Path) -> None:
    settings = PolicySettings(calibration=tmp_path / "nowhere")
    with pytest.raises(SettingsError, match=r"policies\.calibration"):
        fitted_scores(settings, MODEL)


def test_a_calibration_that_does_not_apply_is_logged(tmp_path: Path) -> None:
    write_calibration(tmp_path / "harassment.json", calibration(policy(), "another-model"))
    with structlog.testing.capture_logs() as logs:
        fitted_scores(PolicySettings(calibration=tmp_path), MODEL, [policy()])
    assert [(it["policy"], it["log_level"]) for it in logs] == [("harassment", "warning")]
