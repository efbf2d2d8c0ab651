"""The page of the settings follows the models."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from afterguard.settings import ENV_PREFIX, Settings, load_settings
from afterguard.settings_docs import page

ROOT = Path(__file__).parents[1]


def fields(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """The variables of a model's settings, without their prefix; those of a section are in it."""
    for name, info in model.model_fields.items():
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from fields(inner, f"{above}{name}__")
        else:
            yield f"{above}{name}".upper()


def test_the_page_in_the_docs_is_made_from_the_models() -> None:
    assert (ROOT / "docs/settings.md").read_text(encoding="utf-8") == page()


def test_every_setting_stands_on_the_page_once() -> None:
    listed = re.findall(rf"`{ENV_PREFIX}(\w+)` \|$", page(), re.MULTILINE)
    assert listed == list(fields(Settings))


def test_every_setting_says_what_it_means() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    silent = [row for row in rows if row.split(" | ")[3].strip() == "-"]
    assert not silent


def test_the_variables_of_the_page_are_those_that_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("AFTERGUARD_ENGINE__MODEL", "some/model")
    monkeypatch.setenv("AFTERGUARD_JUDGING__DEADLINE_S__LIVE", "30")
    settings = load_settings()
    assert settings.engine.model == "some/model"
    assert list(settings.judging.deadline_s.values()) == [30.0, 600.0, None]
