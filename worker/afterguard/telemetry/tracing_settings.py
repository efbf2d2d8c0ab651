"""The `tracing` section of the settings."""

from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator


class TracingSettings(BaseModel):
    """Spans of events, sent by OTLP; what is given here wins over `OTEL_*` variables."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(default=False, description="Needs the extra `tracing`.")
    endpoint: str | None = Field(
        default=None,
        description="The collector, such as http://otel-collector:4318; `/v1/traces` is added. "
        "When absent OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT holds, "
        "then http://localhost:4318.",
    )
    headers_file: Path | None = Field(
        default=None,
        description="Holds one `name: value` a line, sent with each export; read at the start. "
        "When absent OTEL_EXPORTER_OTLP_HEADERS holds.",
    )
    sample_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Of the events without a `traceparent`, the share that is traced; a record "
        "that is read again is drawn alike. For the others the producer's sampled flag decides.",
    )
    timeout_s: float | None = Field(
        default=None,
        gt=0,
        description="For one export, its retries included; then its spans are lost. When absent "
        "OTEL_EXPORTER_OTLP_TIMEOUT holds, then 10.",
    )
    queue_spans: int = Field(
        default=4096,
        ge=128,
        description="Spans that may wait for the collector; what comes then is dropped, counted "
        "in `trace_spans_total`.",
    )
    flush_timeout_s: float = Field(
        default=5.0, ge=0, description="At the end, how long the worker waits for the last spans."
    )
    resource: dict[str, str] = Field(
        default={},
        description="More attributes of the worker, such as `deployment.environment.name`; they "
        "win over OTEL_RESOURCE_ATTRIBUTES. `service.name` is `afterguard`, `service.instance.id` "
        "the host's name.",
    )

    @field_validator("endpoint")
    @classmethod
    def _plain_address(cls, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        parts = _parts(endpoint)
        if parts is None:
            raise ValueError("must look like http://otel-collector:4318")
        if parts.username is not None or parts.password is not None:
            raise ValueError("must hold no credentials; give them in tracing.headers_file")
        if parts.query or parts.fragment:
            raise ValueError("must end with its path; credentials belong in tracing.headers_file")
        return endpoint


def _parts(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at only when asked for
    except ValueError:
        return None
    return parts if parts.scheme in {"http", "https"} and parts.hostname else None
