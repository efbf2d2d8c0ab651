"""A calibration as a document: one JSON text for each policy, with all that was known when fitted.

It holds numbers and no code, so that a file from elsewhere can be read and looked at.
"""

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from afterguard.contracts.errors import PolicyError
from afterguard.contracts.policies import PolicyId
from afterguard.contracts.words import Effort
from afterguard.policy.document import read_text
from afterguard.policy.whole_file import write_whole

FORM: Final = 1
MOST_BYTES: Final = 1024 * 1024

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlattCurve(_Part):
    """A logistic curve over the logit of the score (Platt 1999)."""

    method: Literal["platt"] = "platt"
    slope: Number = Field(gt=0)
    intercept: Number


class IsotonicCurve(_Part):
    """A rising line through knots (Zadrozny and Elkan 2002), straight over the logit between."""

    method: Literal["isotonic"] = "isotonic"
    knots: tuple[tuple[Probability, Probability], ...] = Field(
        min_length=2, description="Score of the model and probability; both rise."
    )

    @field_validator("knots")
    @classmethod
    def _rise(cls, knots: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
        if any(below[0] >= above[0] or below[1] > above[1] for below, above in pairwise(knots)):
            raise ValueError("scores must rise, and probabilities must not fall")
        return knots


class Losses(_Part):
    """How far scores are from labels; less is better."""

    brier: Number
    log_loss: Number


class ReliabilityBin(_Part):
    """What scores promise beside what came true, for some rows of neighbouring scores."""

    rows: int
    score: Probability
    share: Probability


class ChosenThreshold(_Part):
    """A threshold that was chosen on the data."""

    want: Literal["precision", "recall"]
    least: Probability = Field(description="What was wanted.")
    threshold: Probability | None = Field(description="None when none can be shown to reach it.")
    held_out: Probability | None = Field(
        description="What thresholds that were so chosen reached on folds they had not seen."
    )
    held_out_low: Probability | None = Field(description="Its lower confidence bound.")
    holds: bool = Field(description="Whether `held_out` reaches what was wanted.")


class Fit(_Part):
    """One fitted curve, and what it was fitted on."""

    version: str = Field(min_length=1, description="Of the policy that was judged under.")
    reads: str = Field(min_length=1, description="Digest of all that the model reads of it.")
    model: str = Field(min_length=1)
    effort: Effort
    curve: PlattCurve | IsotonicCurve = Field(discriminator="method")
    rows: int = Field(ge=1)
    positives: int = Field(ge=0)
    before: Losses = Field(description="Of the scores as the model gave them.")
    after: Losses = Field(description="Of fitted scores on folds that were not fitted on.")
    reliability: tuple[ReliabilityBin, ...] = Field(
        default=(), description="Of fitted scores on folds that were not fitted on."
    )
    thresholds: tuple[ChosenThreshold, ...] = ()
    fitted_at: datetime
    data: str = Field(description="First 16 hex digits of the SHA-256 of the labels and scores.")


class Calibration(_Part):
    """All that was fitted for one policy: one curve for each text, model and effort."""

    form: Literal[1] = FORM
    policy: PolicyId
    fits: tuple[Fit, ...] = ()

    @field_validator("fits")
    @classmethod
    def _one_each(cls, fits: tuple[Fit, ...]) -> tuple[Fit, ...]:
        keys = [(fit.reads, fit.model, fit.effort) for fit in fits]
        if len(set(keys)) < len(keys):
            raise ValueError("two fits are for the same text, model and effort")
        return fits

    def with_fit(self, fit: Fit) -> "Calibration":
        """The same with this fit in place of the one for its text, model and effort."""
        key = (fit.reads, fit.model, fit.effort)
        others = (it for it in self.fits if (it.reads, it.model, it.effort) != key)
        return self.model_copy(update={"fits": (*others, fit)})


def parse_calibration(text: str, path: Path) -> Calibration:
    """The calibration of a document's text; `path` is for messages.

    Raises:
        PolicyError: It is no JSON, or a field is wrong; the message names file and field.
    """
    try:
        return Calibration.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(step) for step in fault["loc"])
        message = fault["msg"].removeprefix("Value error, ")
        raise PolicyError(message[:1].lower() + message[1:], file=path, field=field) from None


def read_calibration(path: Path) -> Calibration:
    """The calibration of a file that is named after its policy.

    Raises:
        PolicyError: It cannot be read, is no calibration, or is of another policy.
    """
    found = parse_calibration(read_text(path, MOST_BYTES), path)
    if found.policy != path.stem:
        message = f"is {found.policy}, but the file is named after {path.stem}"
        raise PolicyError(message, file=path, field="policy")
    return found


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Write a calibration, whole or not at all: a worker may be reading it.

    Raises:
        PolicyError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, calibration.model_dump_json(indent=2).encode() + b"\n")
    except OSError as error:
        raise PolicyError(f"cannot be written: {error.strerror}", file=path) from None
