"""Calibration at work: makes probabilities of the scores of exactly what was fitted.

A score without a fit for what the model reads of its policy, the worker's model and the effort
stays as it is, and its verdict says so. No package beyond the worker's own is needed.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Final

import orjson
import structlog

from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import Policy
from afterguard.contracts.words import Effort
from afterguard.policy.calibration_document import (
    Calibration,
    IsotonicCurve,
    PlattCurve,
    read_calibration,
)
from afterguard.policy.settings import PolicySettings

_log = structlog.get_logger(__name__)

FOLDER: Final = "calibration"
# Scores nearer to 0 or 1 than this are what rounding made of log-probabilities.
_SUREST: Final = 1e-7
_LARGEST_EXPONENT: Final = 700.0

Curve = Callable[[float], float]
# Id of a policy, digest of its text or its version, effort.
_Key = tuple[str, str, Effort]
Curves = dict[_Key, Curve]


class FittedScores:
    """Scores as probabilities, where they were fitted; implements `flow.asking.Scores`.

    Args:
        model: Id of the model that gives the scores.
        calibrations: Those of the folder.
    """

    def __init__(self, model: str, calibrations: Iterable[Calibration] = ()) -> None:
        self._model = model
        self._of_texts: Curves = {}
        for it in calibrations:
            self._of_texts |= _curves(it, model)
        self._of_versions: Curves = {}
        self._found: dict[_Key, Curve | None] = {}

    def calibrated(self, score: float, policy: Policy, effort: Effort) -> float | None:
        """See `flow.asking.Scores.calibrated`."""
        key = (policy.id, policy.version, effort)
        # The one that is there now: a release in another thread puts a new one in its place.
        found = self._found
        if key not in found:
            found[key] = self._of_versions.get(key) or self._of_texts.get(
                (policy.id, what_is_read(policy), effort)
            )
        curve = found[key]
        return None if curve is None else curve(score)

    def release(self, policy: Policy, calibration: Calibration | None) -> None:
        """Apply to this version, from now on, what comes with it; may be called from a thread.

        Other versions of the same text keep what they have: one on trial changes nothing of the one
        in force, and work in flight ends as it began.

        Args:
            policy: The version that is put into force or on trial.
            calibration: Its own, before that of the folder; None when it comes without one, and
                what came with it earlier holds no more.
        """
        text, curves = (
            what_is_read(policy),
            _curves(calibration, self._model) if calibration else {},
        )
        version = (policy.id, policy.version)
        others = {key: it for key, it in self._of_versions.items() if key[:2] != version}
        self._of_versions = others | {
            (*version, effort): curve
            for (policy_id, read, effort), curve in curves.items()
            if (policy_id, read) == (policy.id, text)
        }
        self._found = {}
        if calibration is not None and not self.covers(policy):
            _tell_uncovered(policy, self._model)

    def covers(self, policy: Policy) -> bool:
        """Whether scores of this version, at its own effort, are calibrated."""
        version = (policy.id, policy.version, policy.effort)
        text = (policy.id, what_is_read(policy), policy.effort)
        return version in self._of_versions or text in self._of_texts


def what_is_read(policy: Policy) -> str:
    """A digest of all that the model reads of a policy: its title, its text, its rules by name.

    A threshold or an action can be changed, which makes a new version, without it; what scores mean
    stays the same then.
    """
    rules = [(rule.id, rule.title) for rule in policy.rules]
    text = orjson.dumps([policy.title, policy.body.strip(), rules])
    return sha256(text).hexdigest()[:16]


def curve_of(shape: PlattCurve | IsotonicCurve) -> Curve:
    """The function from a score to a probability; it never falls and stays within 0 and 1."""
    if isinstance(shape, PlattCurve):
        slope, intercept = shape.slope, shape.intercept
        return lambda score: _logistic(slope * logit(score) + intercept)
    places = [logit(score) for score, _ in shape.knots]
    values = [probability for _, probability in shape.knots]

    def between(score: float) -> float:
        place = logit(score)
        right = bisect_right(places, place)
        if right == 0 or right == len(places):
            return values[0] if right == 0 else values[-1]
        below, above = values[right - 1], values[right]
        way = (place - places[right - 1]) / (places[right] - places[right - 1])
        return min(below + (above - below) * way, above)

    return between


def logit(score: float) -> float:
    """The log-odds of a score; what is nearer to 0 or 1 than can be told is kept off them."""
    kept = min(max(score, _SUREST), 1 - _SUREST)
    return math.log(kept / (1 - kept))


def calibration_folder(settings: PolicySettings) -> Path | None:
    """Where calibrations stand; None when neither it nor a folder of policies is set."""
    if settings.calibration is not None:
        return settings.calibration
    return settings.directory / FOLDER if settings.directory is not None else None


def fitted_scores(
    settings: PolicySettings, model: str, policies: Iterable[Policy] = ()
) -> FittedScores:
    """What was fitted for the policies of a folder.

    Args:
        settings: Where it stands.
        model: Id of the model that gives the scores.
        policies: Those in force; one that has a calibration which does not apply is logged.

    Raises:
        PolicyError: A calibration cannot be used; the message names file and field.
        SettingsError: The folder that is set is none.
    """
    folder = calibration_folder(settings)
    if settings.calibration is not None and not settings.calibration.is_dir():
        raise SettingsError([f"policies.calibration: {settings.calibration} is no folder"])
    files = sorted(folder.glob("*.json")) if folder is not None else []
    found = {path.stem: read_calibration(path) for path in files if not path.name.startswith(".")}
    scores = FittedScores(model, found.values())
    for policy in policies:
        if policy.id in found and not scores.covers(policy):
            _tell_uncovered(policy, model)
    return scores


def _curves(calibration: Calibration, model: str) -> Curves:
    return {
        (calibration.policy, fit.reads, fit.effort): curve_of(fit.curve)
        for fit in calibration.fits
        if fit.model == model
    }


def _tell_uncovered(policy: Policy, model: str) -> None:
    _log.warning(
        "scores stay uncalibrated: fitted for another text, model or effort",
        policy=policy.id,
        version=policy.version,
        model=model,
        effort=policy.effort.value,
    )


def _logistic(place: float) -> float:
    return 1 / (1 + math.exp(min(-place, _LARGEST_EXPONENT)))
