"""Commands are tested without the settings of the person who runs the tests."""

import os

import pytest


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [it for it in os.environ if it.startswith("AFTERGUARD_")]:
        if not name.startswith("AFTERGUARD_TEST_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
