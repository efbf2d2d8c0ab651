"""The `log` section of the settings."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LogFormat = Literal["json", "console"]


class LogSettings(BaseModel):
    """How the worker logs."""

    model_config = ConfigDict(extra="forbid")

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lines below it are not written."
    )
    format: LogFormat = Field(
        default="json", description="`json`: one object a line, on stderr; `console`: for people."
    )
