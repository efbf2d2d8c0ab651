"""The intervention: what the platform is asked to do about one event."""

from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from afterguard.contracts.words import Action, Degraded, Outcome, Severity


class Intervention(BaseModel):
    """One decision on one event. Carries no rationale: that stays in the audit topic."""

    model_config = ConfigDict(extra="ignore", title="Intervention")

    intervention_id: UUID = Field(description="Idempotency key: act once per id.")
    revision: int = Field(
        default=0,
        ge=0,
        description="0 for the first time that a record is judged, then the number of its replay; "
        "a higher one holds against lower ones.",
    )
    verdict_ids: tuple[UUID, ...]
    event_id: str
    conversation_id: str
    tenant: str | None = None
    channel_id: str | None = None
    author_id: str
    topic: str
    partition: int
    offset: int
    origin: str | None = Field(
        default=None,
        description="`topic/partition/offset` of the record that this one is a replay of; ids are "
        "made from it.",
    )
    target: JsonValue = Field(
        default=None,
        description="As the event had it; left out, and `degraded` says so, when it would not fit "
        "into a record.",
    )
    action: Action
    outcome: Outcome = Field(description="Of the verdict that decided the action.")
    severity: Severity | None = None
    needs_review: bool = Field(description="Whether any verdict asked for a person.")
    reason_code: str = Field(description="May be shown: the category, or why nobody could judge.")
    rule_ids: tuple[str, ...] = Field(
        default=(), description="May be shown to the person concerned."
    )
    policy_ids: tuple[str, ...] = ()
    expires_at: AwareDatetime | None = None
    supersedes: UUID | None = None
    retracts: UUID | None = None
    appeal_id: str | None = None
    shadow: bool = False
    degraded: tuple[Degraded, ...] = ()
    decided_at: AwareDatetime
    event_to_intervention_ms: float = Field(ge=0)
