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
    calibration: Path | None = Field(
        default=None,
        description="Folder of calibrations of scores, `<policy id>.json`, as `afterguard eval "
        "calibrate` writes them; `calibration` in `policies.directory` when absent.",
    )
