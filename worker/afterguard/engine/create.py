"""Picks the engine that the settings name; its package is imported only then."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from prometheus_client import CollectorRegistry

from afterguard.contracts.errors import SettingsError
from afterguard.engine.null_engine import NullJudge
from afterguard.engine.settings import EngineSettings
from afterguard.flow.ports import Judge


def create_judge(
    settings: EngineSettings,
    *,
    registry: CollectorRegistry,
    progress: Callable[[str], None] | None = None,
) -> Judge:
    """The judge, not yet started.

    Args:
        settings: `kind` picks the engine.
        registry: Where the engine's own metrics go.
        progress: Told what the engine is doing while it starts; may be called from any thread.

    Raises:
        SettingsError: The engine's package is not installed, or `args` holds what the null engine
            does not take.
    """
    progress = progress or (lambda _: None)
    match settings.kind:
        case "null":
            return _null(settings.args)
        case "openai":
            _require("openai", "'afterguard[openai]'")
            from afterguard.engine.openai_engine import OpenAIJudge  # noqa: PLC0415 (optional)

            return OpenAIJudge(settings, progress)
        case "vllm":
            _require("vllm", "'afterguard[gpu]' (or 'afterguard[cpu]' for a trial without a GPU)")
            from afterguard.engine.vllm_engine import VllmJudge  # noqa: PLC0415 (optional)

            return VllmJudge(settings, registry, progress)


def _null(args: dict[str, Any]) -> NullJudge:
    latency_s = args.get("latency_s", 0.0)
    if set(args) - {"latency_s"} or not isinstance(latency_s, int | float):
        raise SettingsError(["engine.args: the null engine takes latency_s alone, in seconds"])
    return NullJudge(latency_s)


def _require(package: str, extra: str) -> None:
    if find_spec(package) is None:
        # No restart of the worker installs it.
        raise SettingsError(
            [f"engine.kind: the package {package!r} is not installed: pip install {extra}"]
        )
