"""The sections `kafka`, `topics`, `input`, `intake` and `delivery` of the settings."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]


class KafkaSettings(BaseModel):
    """Where the broker is and how the group behaves."""

    model_config = ConfigDict(extra="forbid")

    bootstrap_servers: str = Field(
        default="localhost:9092", description="host:port, several separated by commas."
    )
    group_id: str = Field(default="afterguard", min_length=1)
    client_id: str = Field(default="afterguard", min_length=1)
    session_timeout_ms: int = Field(default=30_000, ge=1_000)
    heartbeat_interval_ms: int = Field(default=3_000, ge=100)
    rebalance_timeout_ms: int = Field(default=60_000, ge=1_000)
    max_poll_interval_ms: int = Field(default=300_000, ge=1_000)
    request_timeout_ms: int = Field(default=40_000, ge=1_000)
    fetch_max_bytes: int = Field(default=16 * 2**20, ge=1_024)
    max_partition_fetch_bytes: int = Field(default=2 * 2**20, ge=1_024)
    linger_ms: int = Field(default=5, ge=0)
    compression: str | None = Field(default=None, description="gzip, snappy, lz4, zstd or none.")
    start_timeout_s: float = Field(default=60, gt=0, description="For the broker to answer.")


class TopicSettings(BaseModel):
    """Names of the four topics."""

    model_config = ConfigDict(extra="forbid")

    events: TopicName = "chat.events"
    interventions: TopicName = "moderation.interventions"
    audit: TopicName = "moderation.audit"
    dead_letters: TopicName = "moderation.dead-letters"


class InputSettings(BaseModel):
    """What the input records look like."""

    model_config = ConfigDict(extra="forbid")

    map: dict[str, Any] = Field(
        default={},
        description="ChatEvent field -> JMESPath, or {path, default}, or {const}. Empty: the "
        "records have our own shape.",
    )
    max_event_bytes: int = Field(default=1_000_000, ge=1_024, description="Larger is rejected.")
    max_clock_skew_s: float = Field(
        default=60, ge=0, description="An event further in the future is judged and marked."
    )


class IntakeSettings(BaseModel):
    """How much work the worker takes on."""

    model_config = ConfigDict(extra="forbid")

    max_tokens_in_flight: int = Field(
        default=2_000_000,
        ge=1_000,
        description="Estimated tokens of admitted, unsettled work; intake pauses above it.",
    )
    max_events_in_flight: int = Field(default=8_192, ge=1)
    max_concurrent_events: int | None = Field(
        default=None,
        ge=1,
        description="Events handed to the engine at once; from engine.max_num_seqs when absent.",
    )
    resume_share: float = Field(
        default=0.7, gt=0, le=1, description="Intake resumes below this share of the budget."
    )
    max_poll_records: int = Field(default=1_000, ge=1)


class DeliverySettings(BaseModel):
    """What is promised about offsets and outputs."""

    model_config = ConfigDict(extra="forbid")

    commit_interval_s: float = Field(default=0.5, gt=0)
    drain_timeout_s: float = Field(
        default=30, gt=0, description="SIGTERM: finish what is in flight within this time."
    )
    revoke_grace_s: float = Field(
        default=10, ge=0, description="Rebalance: finish what is in flight within this time."
    )
    max_record_bytes: int = Field(
        default=900_000, ge=10_000, description="Outputs are cut to stay below it."
    )
    publish_attempts: int = Field(default=5, ge=1)
    order_hold_limit: int = Field(
        default=10_000, ge=1, description="Interventions held back for an earlier one of their key."
    )
