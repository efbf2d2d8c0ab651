"""Settings for a worker process that judges with real vLLM on a CPU and a tiny random model.

Its verdicts mean nothing; what such a worker shows is that each event gets one, whatever is killed.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import missing
from tests.engine.tiny_llama import tiny_llama

from afterguard.contracts.errors import AfterguardError
from afterguard.contracts.words import Effort
from afterguard.embedded.cpu_engine import cpu_engine_settings, prepare_environment

_CAPS = {Effort.LOW: 4, Effort.MEDIUM: 8, Effort.HIGH: 48}


def cpu_worker_engine(**changes: Any) -> dict[str, Any]:
    """The section `engine` of such a worker, ready for YAML.

    Also sets, in this process, the variables that vLLM reads: a worker process started from here
    inherits them. The first call makes the model, in some ten seconds.

    Args:
        changes: Fields of the section; `args` are merged into ours.
    """
    prepare_environment()
    try:
        model = tiny_llama()
    except (AfterguardError, ImportError) as error:
        missing(f"the tiny model ({error})")
        raise
    args = {"dtype": "float32", "kv_cache_memory_bytes": 64 * 2**20} | changes.pop("args", {})
    values = {"max_content_tokens": 600, "reasoning_max_tokens": _CAPS} | changes
    settings = cpu_engine_settings(model, args=args, **values)
    return settings.model_dump(mode="json", exclude_unset=True)


def told_by(script: str, section: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a script about an engine prints as its last line, in a process of its own.

    Args:
        script: Gets the section `engine` as JSON, as its only argument.
        section: That section.
        folder: Where the script is put: vLLM starts its processes from a file.
    """
    file = folder / "script.py"
    file.write_text(script)
    done = subprocess.run(
        [sys.executable, file, json.dumps(section)],
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
