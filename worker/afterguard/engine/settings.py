"""The `engine` section of the settings."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from afterguard.contracts.words import Effort

EngineKind = Literal["vllm", "openai", "null"]
PromptFormat = Literal["auto", "harmony", "chat-template"]


class EngineSettings(BaseModel):
    """Which model judges, where it runs and how it is fed."""

    model_config = ConfigDict(extra="forbid")

    kind: EngineKind = Field(
        default="vllm",
        description="`vllm` runs the model in this worker; `openai` calls a server you run; "
        "`null` judges nothing and is for measurements.",
    )
    model: str = Field(
        default="openai/gpt-oss-safeguard-20b",
        description="Hub id or path. The default needs a GPU with 16 GB or more.",
    )
    model_name: str | None = Field(
        default=None, description="Name written into verdicts; `model` when absent."
    )
    format: PromptFormat = Field(
        default="auto", description="`auto`: harmony for gpt-oss models, else the chat template."
    )
    max_num_seqs: int = Field(default=256, ge=1, description="Requests in one engine step.")
    max_num_batched_tokens: int = Field(default=8192, ge=64, description="Tokens in one step.")
    max_model_len: int = Field(default=8192, ge=256, description="Prompt plus answer, in tokens.")
    max_content_tokens: int = Field(
        default=4096,
        ge=16,
        description="Longer contents become the outcome `truncated`. `openai`: estimated.",
    )
    reasoning_max_tokens: dict[Effort, int] = Field(
        default={Effort.LOW: 512, Effort.MEDIUM: 1024, Effort.HIGH: 2048},
        description="Cap on the model's reasoning for each effort, in tokens.",
    )
    temperature: float = Field(
        default=0.0, ge=0, le=2, description="0 takes the likeliest token each time."
    )
    structured: bool = Field(
        default=True,
        description="Hold the answer to its fixed shape by a grammar. `openai`: by vLLM's "
        "structural tags where the server applies them, else by a JSON Schema, else not at all.",
    )
    start_timeout_s: float = Field(default=1800, gt=0, description="Model download included.")
    stop_timeout_s: float = Field(
        default=20, gt=0, description="For the engine to end; then its processes are killed."
    )
    probe_timeout_s: float = Field(
        default=5, gt=0, description="For the engine to answer when asked whether it lives."
    )
    progress_timeout_s: float = Field(
        default=20,
        gt=0,
        description="An engine that has work and makes no step and ends no request for so long, or "
        "has none and answers no probe, hangs.",
    )
    restarts: int = Field(
        default=3,
        ge=0,
        description="`vllm`: how often an engine that died or hangs is started again in place, "
        "within `restart_window_s`; one more death ends the worker.",
    )
    restart_window_s: float = Field(default=600, gt=0, description="See `restarts`.")
    args: dict[str, Any] = Field(
        default={},
        description="Passed through to vLLM's AsyncEngineArgs as they are; `null` takes "
        "`latency_s`, the seconds that an answer takes.",
    )
    base_url: str | None = Field(
        default=None,
        repr=False,  # it may hold a password
        description="`openai`: such as http://host:8000/v1",
    )
    api_key: SecretStr | None = Field(default=None, description="`openai`: bearer token.")
    api_key_file: Path | None = Field(
        default=None, description="`openai`: holds the bearer token; read when the worker starts."
    )
    request_timeout_s: float = Field(
        default=300,
        gt=0,
        description="For one request, its waiting in the engine included; then it is ended there "
        "and counts as a fault.",
    )
