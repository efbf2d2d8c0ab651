"""Options that several commands have, and the settings that they lead to."""

import logging
from pathlib import Path
from typing import Any, Final, Literal

import typer

from afterguard.settings import Settings, load_settings
from afterguard.telemetry.logs import configure_logs

# A worker may wait a minute for its broker; a person should not.
_PATIENCE_S: Final = 10.0
CONFIG: Final = typer.Option(
    None,
    "--config",
    "-c",
    metavar="FILE",
    help="YAML file of settings.",
    envvar="AFTERGUARD_CONFIG",
)
BOOTSTRAP: Final = typer.Option(
    None, "--bootstrap", metavar="HOST:PORT", help="Instead of `kafka.bootstrap_servers`."
)
FORMAT: Final = typer.Option(
    None, "--format", help="How rows are written; by the suffix of the file when absent."
)


def settings_of(
    config: Path | None,
    bootstrap: str | None = None,
    *,
    overrides: dict[str, Any] | None = None,
    log_level: Literal["warning", "error"] = "warning",
) -> Settings:
    """The settings of a command for a person, and logs that are made to be read.

    Args:
        config: The file of `--config`.
        bootstrap: The address of `--bootstrap`.
        overrides: Further values that win over file and environment.
        log_level: Where logs begin; what a command tells in its own words need not be logged.

    Raises:
        SettingsError: One line for each fault.
    """
    values = dict(overrides or {})
    if bootstrap is not None:
        values["kafka"] = {"bootstrap_servers": bootstrap}
    settings = load_settings(config, values)
    if "start_timeout_s" not in settings.kafka.model_fields_set:
        settings.kafka.start_timeout_s = _PATIENCE_S
    configure_logs(settings.log.model_copy(update={"level": log_level, "format": "console"}))
    # Whatever it has to say reaches us as an error, too, and is told once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    return settings
