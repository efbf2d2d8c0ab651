"""The sections `kafka`, `topics`, `input`, `intake` and `delivery` of the settings."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from afterguard.contracts.errors import RejectReason
from afterguard.contracts.words import Reason
from afterguard.stream.security_settings import KafkaSecuritySettings

# After the grace: the last commit, ending what is left in the engine, joining again.
_LETTING_GO_S = 30.0
LAST_COMMIT_S = 5.0

TopicName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]


def _addresses(text: str) -> str:
    for address in text.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
            raise ValueError(f"each must be host:port; {address.strip()!r} is not")
    return text


Addresses = Annotated[str, AfterValidator(_addresses)]
Compression = Annotated[
    Literal["gzip", "snappy", "lz4", "zstd"] | None,
    BeforeValidator(lambda value: None if value == "none" else value),
]


class KafkaClientSettings(BaseModel):
    """Where the broker is and how the group behaves."""

    model_config = ConfigDict(extra="forbid")

    bootstrap_servers: Addresses = Field(
        default="localhost:9092", description="host:port, several separated by commas."
    )
    group_id: str = Field(
        default="afterguard",
        min_length=1,
        description="Workers of one group share the partitions; also in `ce_source` of outputs.",
    )
    client_id: str = Field(
        default="afterguard", min_length=1, description="Shown in the broker's logs and quotas."
    )
    session_timeout_ms: int = Field(
        default=30_000,
        ge=1_000,
        description="A worker that is silent so long has lost its partitions; most brokers refuse "
        "less than 6000.",
    )
    heartbeat_interval_ms: int = Field(
        default=3_000, ge=100, description="At most a third of `session_timeout_ms`."
    )
    assignor: Literal["round_robin", "sticky", "range"] = Field(
        default="round_robin",
        description="How the group shares partitions out: evenly; as before where that is even; "
        "in runs of neighbours. All workers of a group need the same.",
    )
    group_instance_id: str | None = Field(
        default=None,
        min_length=1,
        description="A name that only this worker has (static membership): a restart within "
        "`session_timeout_ms` moves no partition, and a worker that ends keeps its own so long.",
    )
    rebalance_timeout_ms: int | None = Field(
        default=None,
        ge=1_000,
        description="How long the group waits for a member to let go. Absent: "
        "`delivery.revoke_grace_s` and 30 s for the last commit and the way back.",
    )
    max_poll_interval_ms: int = Field(
        default=300_000,
        ge=1_000,
        description="A worker that has not polled for so long leaves its group, and `/livez` "
        "fails.",
    )
    request_timeout_ms: int = Field(
        default=40_000, ge=1_000, description="For one request to the broker, a commit included."
    )
    metadata_max_age_ms: int = Field(
        default=300_000,
        ge=100,
        description="How old what is known of topics may be: partitions that are added are read "
        "after this time at the latest, from their beginning.",
    )
    fetch_max_bytes: int = Field(
        default=16 * 2**20, ge=1_024, description="Bytes that one fetch may bring."
    )
    max_partition_fetch_bytes: int = Field(
        default=2 * 2**20, ge=1_024, description="Of these, bytes of one partition."
    )
    empty_fetch_pause_ms: int = Field(
        default=0,
        ge=0,
        description="How long to ask for nothing after an empty fetch. Only for a broker that "
        "answers at once instead of waiting for records, as the embedded one does.",
    )
    linger_ms: int = Field(
        default=5, ge=0, description="How long an output waits for others to be sent with."
    )
    compression: Compression = Field(
        default=None, description="Of outputs: gzip, snappy, lz4, zstd or none."
    )
    start_timeout_s: float = Field(default=60, gt=0, description="For the broker to answer.")
    stall_timeout_s: float = Field(
        default=60,
        gt=0,
        description="A partition that grows and gives no record for so long, though nothing holds "
        "it back: the consumer is rebuilt once, then the worker ends with exit code 81.",
    )
    away_timeout_s: float = Field(
        default=300,
        gt=0,
        description="A running worker that no broker has answered for so long ends with exit "
        "code 81.",
    )


class KafkaSettings(KafkaSecuritySettings, KafkaClientSettings):
    """Where the broker is, how the group behaves, and how the broker is spoken to."""


def rebalance_timeout_ms(kafka: KafkaSettings, revoke_grace_s: float) -> int:
    """How long the group waits for this worker to let go, milliseconds: as set, or by the grace."""
    return kafka.rebalance_timeout_ms or round((revoke_grace_s + _LETTING_GO_S) * 1000)


class TopicSettings(BaseModel):
    """Names of the four topics."""

    model_config = ConfigDict(extra="forbid")

    events: TopicName = Field(default="chat.events", description="Input.")
    interventions: TopicName = Field(
        default="moderation.interventions", description="What the platform is asked to do."
    )
    audit: TopicName = Field(
        default="moderation.audit",
        description="Every verdict with the model's reasoning; restrict who may read it.",
    )
    dead_letters: TopicName = Field(
        default="moderation.dead-letters",
        description="What could not be judged, as it was; restrict who may read it.",
    )


class InputSettings(BaseModel):
    """What the input records look like."""

    model_config = ConfigDict(extra="forbid")

    map: dict[str, Any] = Field(
        default={},
        description="ChatEvent field to JMESPath, or a table with `path`, `header`, `record` or "
        "`const`. Empty: the records have our own shape.",
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
    min_tokens_in_flight: int | None = Field(
        default=50_000,
        ge=1_000,
        description="The limit follows the engine between this and `max_tokens_in_flight`: lower "
        "while its KV cache is full, or more than a minute of work is queued; higher while it has "
        "room. null: it stays at the maximum.",
    )
    max_events_in_flight: int = Field(
        default=8_192, ge=1, description="Admitted, unsettled events; intake pauses above it."
    )
    max_concurrent_events: int | None = Field(
        default=None,
        ge=1,
        description="Events at the engine at once, the others wait in their lanes; twice "
        "`engine.max_num_seqs` when absent.",
    )
    resume_share: float = Field(
        default=0.7, gt=0, le=1, description="Intake resumes below this share of the budget."
    )
    max_poll_records: int = Field(
        default=1_000, ge=1, description="Records taken from the fetched ones in one turn."
    )


class DeadLetterSettings(BaseModel):
    """When dead letters are a flood, which holds intake until a person accepts its cause."""

    model_config = ConfigDict(extra="forbid")

    flood_count: int | None = Field(
        default=1_000,
        ge=1,
        description="So many dead letters of one cause within the window are a flood, for each "
        "worker; null: none ever is.",
    )
    flood_window_s: float = Field(default=60, gt=0, description="The window.")
    flood_accept: tuple[RejectReason | Reason, ...] = Field(
        default=(), description="Causes that are never a flood, such as `tombstone`."
    )


class DeliverySettings(BaseModel):
    """What is promised about offsets and outputs."""

    model_config = ConfigDict(extra="forbid")

    guarantee: Literal["at_least_once", "exactly_once"] = Field(
        default="at_least_once",
        description="`exactly_once`: outputs and offsets in one transaction per partition and "
        "commit interval; an event's outputs wait for all earlier ones of its partition.",
    )
    commit_interval_s: float = Field(
        default=0.5,
        gt=0,
        description="Between two commits, or two transactions of a partition; what lies between "
        "is judged again after a crash.",
    )
    transaction_max_events: int = Field(
        default=500,
        ge=1,
        description="A transaction is begun before its interval is over when so many events wait, "
        "and holds no more of them.",
    )
    transaction_timeout_s: float = Field(
        default=30,
        gt=0,
        le=300,
        description="A transaction that takes longer is given up and its events are read again; "
        "the broker gives it up after twice as long.",
    )
    drain_timeout_s: float = Field(
        default=30, gt=0, description="SIGTERM: finish what is in flight within this time."
    )
    revoke_grace_s: float = Field(
        default=10, ge=0, description="Rebalance: finish what is in flight within this time."
    )
    stuck_after_s: float = Field(
        default=300,
        gt=0,
        description="An event that holds a commit back for so long is stuck: it is named in the "
        "log and counted in `stuck_partitions`.",
    )
    max_record_bytes: int = Field(
        default=900_000,
        ge=50_000,
        le=1_000_000,
        description="Outputs are cut to stay below it; Kafka's own limit is 1,048,588.",
    )
