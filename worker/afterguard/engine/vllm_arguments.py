"""The arguments of vLLM's engine, out of our settings and what is passed through."""

from collections.abc import Collection
from typing import Any, Final

from afterguard.contracts.errors import SettingsError
from afterguard.engine.settings import EngineSettings

# Each has a setting of its own, on which other parts of the worker rely.
_OURS: Final = {
    "model": "model",
    "served_model_name": "model_name",
    "max_num_seqs": "max_num_seqs",
    "max_num_batched_tokens": "max_num_batched_tokens",
    "max_model_len": "max_model_len",
}
_LABELS: Final = 2
_BACKEND: Final = "xgrammar"


def engine_arguments(settings: EngineSettings, known: Collection[str]) -> dict[str, Any]:
    """Keyword arguments for `AsyncEngineArgs`.

    What is set in `engine.args` wins over our defaults; where the worker relies on one of its own
    settings or on a feature of the engine, the two must agree.

    Args:
        settings: The `engine` section.
        known: The names that the installed vLLM takes.

    Raises:
        SettingsError: One line for each argument that is unknown or contradicts a setting.
    """
    problems = [
        f"engine.args.{name}: the installed vLLM has no such engine argument"
        for name in settings.args
        if name not in known
    ]
    problems += _contradictions(settings)
    if problems:
        raise SettingsError(problems)
    passed = dict(settings.args)
    structured = {"backend": _BACKEND} | _mapping(passed.pop("structured_outputs_config", None))
    ours: dict[str, Any] = {
        "model": settings.model,
        "served_model_name": settings.model_name or settings.model,
        "max_num_seqs": settings.max_num_seqs,
        "max_num_batched_tokens": settings.max_num_batched_tokens,
        "max_model_len": settings.max_model_len,
        "scheduling_policy": "priority",
        "structured_outputs_config": structured,
    }
    return ours | passed


def _contradictions(settings: EngineSettings) -> list[str]:
    args = settings.args
    found = []
    for name, field in _OURS.items():
        ours = getattr(settings, field)
        if name in args and args[name] != ours:
            found.append(f"engine.args.{name}: set engine.{field} instead (it is {ours!r})")
    if args.get("scheduling_policy", "priority") != "priority":
        found.append("engine.args.scheduling_policy: must be 'priority': lanes depend on it")
    if args.get("enable_log_requests"):
        found.append("engine.args.enable_log_requests: would write messages into the logs")
    if args.get("skip_tokenizer_init"):
        found.append("engine.args.skip_tokenizer_init: prompts are made with the tokenizer")
    if 0 <= args.get("max_logprobs", _LABELS) < _LABELS:
        found.append(f"engine.args.max_logprobs: must be {_LABELS} or more: scores need them")
    backend = _mapping(args.get("structured_outputs_config")).get("backend", _BACKEND)
    if settings.structured and backend != _BACKEND:
        found.append(
            f"engine.args.structured_outputs_config: its backend must be {_BACKEND!r} while "
            "engine.structured is on: no other knows the structural tags that hold the answer"
        )
    return found


def _mapping(value: object) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {}
