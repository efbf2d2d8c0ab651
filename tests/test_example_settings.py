"""The example of the settings is one that a worker takes."""

import os
from pathlib import Path

import pytest
import yaml

from afterguard.settings import ENV_PREFIX, Settings, load_settings

EXAMPLE = Path(__file__).parents[1] / "deploy/afterguard.example.yaml"


@pytest.fixture(autouse=True)
def _no_settings_of_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(variable)


def test_the_example_loads_without_a_contradiction() -> None:
    settings = load_settings(EXAMPLE)
    assert settings.engine.kind == "vllm"
    assert settings.engine.model == Settings.model_fields["engine"].default.model


def test_the_example_shows_every_section() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    shown = set(yaml.safe_load(text))
    assert set(Settings.model_fields) - shown == {"input"}
    assert "# input:" in text


def test_the_example_holds_no_secret() -> None:
    settings = load_settings(EXAMPLE)
    assert settings.redis.url is None
    assert settings.engine.api_key is None
