"""vLLM on a CPU with the demo's model: settings and environment for demo, tests, benchmarks."""

import os
from pathlib import Path
from typing import Any, Final

from afterguard.contracts.words import Effort
from afterguard.engine.settings import EngineSettings

_ENVIRONMENT: Final = {
    # On few cores, pinned threads starve the worker itself.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    # Threads that spin while they wait made a step 7 to 17 times slower on two busy cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    "OMP_NUM_THREADS": str(min(len(os.sched_getaffinity(0)), 8)),
    # Skips a warm-up that costs more than it saves on a short run.
    "VLLM_CPU_CI_ENV": "1",
    # Folds vLLM's worker process into its engine process: start 23 s -> 16 s.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}

# With one of these a CPU multiplies bf16 itself; without, float32 is four times faster on batches.
_FAST_BFLOAT16: Final = frozenset({"avx512_bf16", "amx_bf16"})


def prepare_environment() -> None:
    """Set what vLLM reads from the environment, where nobody has set it already."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def cpu_engine_settings(model_path: Path, **overrides: Any) -> EngineSettings:
    """Settings that start fast and stay small on two cores.

    Args:
        model_path: A folder in Hugging Face's form.
        overrides: Fields of `EngineSettings`; `args` are merged into ours.
    """
    args = {
        "enforce_eager": True,
        "dtype": _dtype(),
        "kv_cache_memory_bytes": 2**30,
        "block_size": 32,
    } | overrides.pop("args", {})
    values: dict[str, Any] = {
        "kind": "vllm",
        "model": str(model_path),
        "model_name": model_path.name,
        "max_num_seqs": 32,
        # On a slow CPU one step of 4,096 tokens takes a minute, and nothing is heard meanwhile.
        "max_num_batched_tokens": 1024,
        "probe_timeout_s": 30,
        "progress_timeout_s": 120,
        "request_timeout_s": 600,
        "max_model_len": 4096,
        "max_content_tokens": 2048,
        "reasoning_max_tokens": {Effort.LOW: 16, Effort.MEDIUM: 32, Effort.HIGH: 64},
        "start_timeout_s": 300,
    }
    return EngineSettings(**(values | overrides | {"args": args}))


def _dtype() -> str:
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "bfloat16"
    return "float32" if flags.isdisjoint(_FAST_BFLOAT16) else "bfloat16"
