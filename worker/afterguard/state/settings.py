"""The `redis` section of the settings."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class RedisSettings(BaseModel):
    """Where Redis or Valkey is, and how long the worker waits for it."""

    model_config = ConfigDict(extra="forbid")

    url: SecretStr | None = Field(
        default=None,
        description="redis://… or rediss://…; without it nothing is cached or recognised.",
    )
    timeout_s: float = Field(default=0.25, gt=0, description="For one call; then it is a miss.")
    retry_after_s: float = Field(
        default=2.0, gt=0, description="How long Redis is left alone after a fault."
    )
    verdict_ttl_s: int = Field(
        default=86_400, ge=1, description="How long a judgement is repeated for equal content."
    )
    seen_ttl_s: int = Field(
        default=7 * 86_400, ge=1, description="How long an event is recognised when sent again."
    )
    key_prefix: str = Field(
        default="afterguard", min_length=1, description="Of every key; one Redis may serve several."
    )
    batch_keys: int = Field(default=512, ge=1, description="Most keys asked for in one call.")
