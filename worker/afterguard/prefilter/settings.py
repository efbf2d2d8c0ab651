"""The `prefilter` section of the settings."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class PrefilterSettings(BaseModel):
    """Where fitted classifiers stand, and how they are run beside the model."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    directory: Path = Field(
        default=Path("classifiers"),
        description="Folder of what `afterguard prefilter fit` made: one folder for each name.",
    )
    bypass_share: float = Field(
        default=0.01,
        gt=0,
        le=1,
        description="Share of the events under a policy with a prefilter that go to the model "
        "whatever it says; its recall is estimated from them.",
    )
    batch: int = Field(default=32, ge=1, description="Texts that are scored in one go at most.")
    wait_ms: int = Field(
        default=5, ge=0, description="How long a text waits for others to be scored with."
    )
    threads: int = Field(default=1, ge=1, description="Of the encoder, for one text.")
    timeout_s: float = Field(
        default=10.0,
        gt=0,
        description="A text without a score for so long goes to the model, marked `unscreened`.",
    )
