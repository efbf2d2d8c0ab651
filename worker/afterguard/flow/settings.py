"""The sections `judging` and `decide` of the settings."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from afterguard.contracts.words import Action, Lane, Outcome
from afterguard.flow.compute_settings import ComputeSettings

_DEADLINES_S: Final[dict[Lane, float | None]] = {
    Lane.LIVE: 60.0,
    Lane.STANDARD: 600.0,
    Lane.BACKFILL: None,
}
_UNJUDGED: Final[dict[Outcome, Action]] = {
    Outcome.UNCERTAIN: Action.ESCALATE,
    Outcome.EXPIRED: Action.ESCALATE,
    Outcome.TRUNCATED: Action.ESCALATE,
    Outcome.UNPARSEABLE: Action.ESCALATE,
    Outcome.FAILED: Action.ESCALATE,
    Outcome.SKIPPED: Action.NONE,
}
_SHED_S: Final[dict[Lane, float | None]] = {
    Lane.LIVE: None,
    Lane.STANDARD: None,
    Lane.BACKFILL: 3_600.0,
}
_TEN_YEARS_S: Final = 315_360_000


class JudgingSettings(BaseModel):
    """Lanes, deadlines and retries."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    default_lane: Lane = Field(
        default=Lane.STANDARD, description="Of an event when neither it nor a policy names one."
    )
    deadline_s: dict[Lane, Annotated[float, Field(gt=0)] | None] = Field(
        default=_DEADLINES_S,
        description="From the moment an event is received, unless the event's own deadline is "
        "earlier; null for none. A lane that is not named keeps its default.",
    )
    ageing_s: float = Field(
        default=30.0, gt=0, description="Waiting this long lifts an event by one lane."
    )
    shed_after_s: dict[Lane, Annotated[float, Field(gt=0)] | None] = Field(
        default=_SHED_S,
        description="In an overload, an event that has waited in its lane for so long becomes "
        "`expired`, reason `shed_overload`; null for never. A lane that is not named keeps its "
        "default.",
    )
    shed_above: int = Field(
        default=1_000, ge=0, description="An overload is when more events wait in the lanes."
    )
    shadow_above: int = Field(
        default=100,
        ge=0,
        description="While more events wait in the lanes, policies on trial are not judged: "
        "`expired`, reason `shed_overload`.",
    )
    shadow_wait_s: float = Field(
        default=2.0,
        ge=0,
        description="A policy on trial is cut, reason `shadow_cut`, when it takes so much longer "
        "than what is acted upon. So long, at most, an intervention may wait for it.",
    )
    engine_full_s: float = Field(
        default=3_600.0,
        gt=0,
        description="An event without a deadline that the full queue of the engine turned away "
        "for so long becomes `expired`, reason `shed_overload`.",
    )
    attempts: int = Field(
        default=4,
        ge=1,
        description="Faults of one request after which it is given up. A full queue is none: "
        "the request waits for it until its deadline.",
    )
    quarantine_after: int = Field(
        default=3,
        ge=2,
        description="A request that was at the engine so many times when the engine or its worker "
        "died, the last time alone, is given up: `failed`, reason `quarantined`.",
    )
    backoff_base_s: float = Field(
        default=0.1, gt=0, description="Upper bound of the first wait; each further one doubles."
    )
    backoff_cap_s: float = Field(default=5.0, gt=0, description="Upper bound of every wait.")
    prompt: Literal["per_policy", "combined"] = Field(
        default="per_policy",
        description="`per_policy`: one request for each policy. `combined`: one for all policies "
        "of an event, which costs fewer tokens and some accuracy; those on trial still have one "
        "each.",
    )
    combined_most: int = Field(
        default=6,
        ge=2,
        le=12,
        description="`combined`: most policies in one prompt; more of them share evenly.",
    )
    compute: ComputeSettings = ComputeSettings()

    @field_validator("deadline_s", mode="before")
    @classmethod
    def _others_keep_theirs(cls, given: Any) -> Any:  # noqa: ANN401 (as it was written)
        return {**_DEADLINES_S, **given} if isinstance(given, dict) else given

    @field_validator("shed_after_s", mode="before")
    @classmethod
    def _others_are_shed_as_by_default(cls, given: Any) -> Any:  # noqa: ANN401 (as it was written)
        return {**_SHED_S, **given} if isinstance(given, dict) else given


class DecideSettings(BaseModel):
    """What follows from verdicts."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    unjudged_action: dict[Outcome, Action] = Field(
        default=_UNJUDGED,
        description="What to ask for when the model gave no certain answer. An outcome that is "
        "not named keeps its default.",
    )
    never_automate: list[Action] = Field(default=[], description="These actions become `escalate`.")
    publish_none: bool = Field(
        default=False, description="Also publish a decision whose action is `none`."
    )
    expires_after_s: float | None = Field(
        default=None,
        gt=0,
        le=_TEN_YEARS_S,
        description="An intervention is void after this time; never when absent.",
    )

    @field_validator("unjudged_action", mode="before")
    @classmethod
    def _others_keep_theirs(cls, given: Any) -> Any:  # noqa: ANN401 (as it was written)
        return {**_UNJUDGED, **given} if isinstance(given, dict) else given

    @field_validator("never_automate")
    @classmethod
    def _something_to_withhold(cls, actions: list[Action]) -> list[Action]:
        if Action.NONE in actions:
            raise ValueError("`none` asks for nothing, so it cannot be withheld")
        return actions

    @field_validator("unjudged_action")
    @classmethod
    def _only_the_unjudged(cls, actions: dict[Outcome, Action]) -> dict[Outcome, Action]:
        if judged := [outcome.value for outcome in actions if outcome not in _UNJUDGED]:
            raise ValueError(
                f"{', '.join(judged)} cannot be set here; there are {', '.join(_UNJUDGED)}"
            )
        return actions
