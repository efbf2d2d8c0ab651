"""The sections `judging` and `decide` of the settings."""

from pydantic import BaseModel, ConfigDict, Field

from afterguard.contracts.words import Action, Lane, Outcome


class JudgingSettings(BaseModel):
    """Lanes, deadlines and retries."""

    model_config = ConfigDict(extra="forbid")

    default_lane: Lane = Lane.STANDARD
    deadline_s: dict[Lane, float | None] = Field(
        default={Lane.LIVE: 60.0, Lane.STANDARD: 600.0, Lane.BACKFILL: None},
        description="From the moment an event is received; an event's own deadline comes first.",
    )
    ageing_s: float = Field(
        default=30.0, gt=0, description="Waiting this long lifts an event by one lane."
    )
    attempts: int = Field(default=4, ge=1, description="For retriable faults of the engine.")
    backoff_base_s: float = Field(default=0.1, gt=0)
    backoff_cap_s: float = Field(default=5.0, gt=0)


class DecideSettings(BaseModel):
    """What follows from verdicts."""

    model_config = ConfigDict(extra="forbid")

    unjudged_action: dict[Outcome, Action] = Field(
        default={
            Outcome.UNCERTAIN: Action.ESCALATE,
            Outcome.EXPIRED: Action.ESCALATE,
            Outcome.TRUNCATED: Action.ESCALATE,
            Outcome.UNPARSEABLE: Action.ESCALATE,
            Outcome.FAILED: Action.ESCALATE,
        },
        description="What to ask for when the model gave no certain answer.",
    )
    never_automate: list[Action] = Field(default=[], description="These actions become `escalate`.")
    publish_none: bool = Field(
        default=False, description="Also publish a decision whose action is `none`."
    )
    expires_after_s: float | None = Field(
        default=None, gt=0, description="An intervention is void after this time."
    )
