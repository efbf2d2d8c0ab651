"""The verdict on one event under one policy, and its audit record."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from afterguard.contracts.words import Action, Degraded, Effort, Outcome, Reason, Severity


class Timings(BaseModel):
    """Where the time went."""

    model_config = ConfigDict(extra="ignore")

    received_at: AwareDatetime = Field(description="When the worker took the record.")
    published_at: AwareDatetime = Field(description="When the verdict was handed to the broker.")
    queued_ms: float = Field(ge=0, description="From received to the first engine request.")
    judging_ms: float = Field(ge=0, description="In the engine, retries included.")
    event_to_publish_ms: float = Field(
        ge=0, description="From `occurred_at` to `published_at`; 0 when the event's clock is ahead."
    )


class Verdict(BaseModel):
    """What was found, by which policy version and model, and how."""

    model_config = ConfigDict(extra="ignore", title="Verdict")

    verdict_id: UUID
    event_id: str
    conversation_id: str
    tenant: str | None = None
    topic: str
    partition: int
    offset: int
    origin: str | None = Field(
        default=None,
        description="`topic/partition/offset` of the record that this one is a replay of; ids are "
        "made from it.",
    )
    replay: int = Field(
        default=0,
        ge=0,
        description="Which replay it was, 0 for none; of verdicts with one id the highest holds.",
    )
    policy_id: str | None = Field(description="None when no policy applied to the event.")
    policy_version: str | None
    outcome: Outcome
    reason: Reason | None = None
    category: str | None = None
    rule_ids: tuple[str, ...] = ()
    unknown_rules: tuple[str, ...] = Field(
        default=(), description="Cited by the model, but no rules of this policy."
    )
    severity: Severity | None = None
    action: Action = Action.NONE
    needs_review: bool = Field(
        default=False, description="Whether a person is asked for, whatever the action is."
    )
    score: float | None = Field(default=None, ge=0, le=1, description="P(violation).")
    score_calibrated: bool = False
    effort: Effort | None = None
    stages: tuple[str, ...] = Field(default=(), description="Path: cache, low, high, ...")
    engine: str | None = None
    model: str | None = None
    prompt_tokens: int = Field(default=0, ge=0)
    cached_prompt_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)
    attempts: int = Field(default=0, ge=0)
    cached_from: UUID | None = Field(
        default=None, description="The verdict that was repeated; its rationale applies."
    )
    shadow: bool = False
    degraded: tuple[Degraded, ...] = ()
    timings: Timings


class AuditRecord(Verdict):
    """A verdict with what only auditors may read."""

    model_config = ConfigDict(extra="ignore", title="AuditRecord")

    rationale: str | None = Field(default=None, description="The model's reasoning.")
    answer: str | None = Field(default=None, description="The model's final answer, as given.")
    cut: tuple[str, ...] = Field(
        default=(), description="Fields shortened to fit the record limit."
    )
