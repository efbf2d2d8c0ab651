"""The settings pick the engine; its package is imported only then, and its absence is told."""

import subprocess
import sys

import pytest
from prometheus_client import CollectorRegistry

from afterguard.contracts.errors import SettingsError
from afterguard.engine import create
from afterguard.engine.create import create_judge
from afterguard.engine.settings import EngineSettings


@pytest.mark.parametrize("kind", ["vllm", "openai", "null"])
def test_the_engine_and_its_model_are_known_before_the_start(kind: str) -> None:
    settings = EngineSettings.model_validate({"kind": kind, "model": "m"})
    judge = create_judge(settings, registry=CollectorRegistry())
    assert judge.engine == kind
    assert judge.model == ("null" if kind == "null" else "m")


@pytest.mark.parametrize("kind", ["vllm", "openai"])
def test_a_name_for_the_model_is_used_where_one_is_set(kind: str) -> None:
    settings = EngineSettings.model_validate({"kind": kind, "model": "m", "model_name": "n"})
    assert create_judge(settings, registry=CollectorRegistry()).model == "n"


@pytest.mark.parametrize(("kind", "extra"), [("vllm", "gpu"), ("openai", "openai")])
def test_a_missing_package_is_told_with_the_command_that_installs_it(
    kind: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create, "find_spec", lambda _: None)
    settings = EngineSettings.model_validate({"kind": kind})
    with pytest.raises(SettingsError, match=rf"pip install 'afterguard\[{extra}\]'"):
        create_judge(settings, registry=CollectorRegistry())


def test_a_judge_of_vllm_is_made_without_importing_vllm() -> None:
    script = (
        "import sys\n"
        "from prometheus_client import CollectorRegistry\n"
        "from afterguard.engine.create import create_judge\n"
        "from afterguard.engine.settings import EngineSettings\n"
        "create_judge(EngineSettings(), registry=CollectorRegistry())\n"
        "print([it for it in ('vllm', 'torch', 'openai') if it in sys.modules])\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    assert done.stdout.strip() == b"[]"
