"""The `http` section of the settings."""

from pydantic import BaseModel, ConfigDict, Field


class HttpSettings(BaseModel):
    """The small server for probes and metrics."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=True, description="`/livez`, `/readyz` and `/metrics`.")
    host: str = Field(default="127.0.0.1", description="0.0.0.0 to be scraped from outside.")
    port: int = Field(default=9108, ge=0, le=65_535, description="0 picks a free port.")
