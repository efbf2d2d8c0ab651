"""Results of `vllm bench serve` that somebody saved: their tokens and seconds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from afterguard.contracts.errors import SettingsError
from afterguard.sizing.throughput_runs import Run

_WANTED: Final = ("total_input_tokens", "total_output_tokens", "duration")
HOW: Final = (
    "vllm bench serve --model MODEL --dataset-name random --random-input-len 2000 "
    "--random-output-len 50 --num-prompts 500 --save-result --result-filename long.json; then the "
    "same with 128 and 256 into another file"
)


def measured_run(file: Path) -> Run:
    """One run.

    Raises:
        SettingsError: The file is no such result.
    """
    try:
        told = orjson.loads(file.read_bytes())
    except OSError as error:
        raise SettingsError([f"--measured {file}: {error.strerror or error}"]) from None
    except ValueError:
        raise SettingsError([f"--measured {file}: is no JSON; make one with: {HOW}"]) from None
    figures = told if isinstance(told, dict) else {}
    missing = [name for name in _WANTED if not _positive(figures, name)]
    if missing:
        raise SettingsError(
            [f"--measured {file}: has no {', '.join(missing)}; make one with: {HOW}"]
        )
    return Run(
        file.name,
        int(figures["total_input_tokens"]),
        int(figures["total_output_tokens"]),
        float(figures["duration"]),
    )


def _positive(figures: Mapping[str, Any], name: str) -> bool:
    value = figures.get(name)
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0
