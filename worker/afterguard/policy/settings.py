"""The `policies` section of the settings."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class PolicySettings(BaseModel):
    """Where the policies stand."""

    model_config = ConfigDict(extra="forbid")

    directory: Path | None = Field(
        default=None, description="Folder of `*.md` policies; the shipped six when absent."
    )
    only: list[str] | None = Field(
        default=None, description="Load these policy ids only; all of the folder when absent."
    )
    store: Path | None = Field(
        default=None,
        description="Folder that says which versions are in force and on trial, shared by all "
        "workers; `afterguard policies activate` writes it. When absent, Redis says so; without "
        "`redis.url` the documents of `policies.directory` are in force.",
    )
    poll_s: float = Field(
        default=0.5,
        gt=0,
        le=60,
        description="How often a worker looks at the store. Redis announces changes besides.",
    )
    calibration: Path | None = Field(
        default=None,
        description="Folder of calibrations of scores, `<policy id>.json`, as `afterguard eval "
        "calibrate` writes them; `calibration` in `policies.directory` when absent.",
    )
