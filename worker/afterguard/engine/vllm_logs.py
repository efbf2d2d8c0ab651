"""vLLM's logs in the form of ours, those of its own processes included.

vLLM reads `vllm_logs.json` in every process that it starts. In this process its records go to the
handlers that are here already; its own processes have none and get one, which makes lines like
ours. Neither prompts nor outputs are logged: `vllm_arguments` refuses request logging.
"""

import logging
import multiprocessing
import os
from pathlib import Path
from typing import Final

from afterguard.engine.end_with_worker import end_with_worker
from afterguard.telemetry.logs import form_in_use, line_formatter

_FILE: Final = "VLLM_LOGGING_CONFIG_PATH"
_SWITCH: Final = "VLLM_CONFIGURE_LOGGING"
# Tells vLLM's processes the form and the level of ours.
_HANDED_ON: Final = "_AFTERGUARD_ENGINE_LOGS"
_STDERR: Final = 2


def configure_vllm_logs() -> None:
    """Must come before vLLM is imported; does nothing where somebody has configured its logs."""
    ours = str(Path(__file__).with_suffix(".json"))
    # A worker that was started by another one finds our file there already.
    if os.environ.get(_FILE, ours) != ours or _SWITCH in os.environ:
        return
    os.environ[_FILE] = ours
    os.environ[_HANDED_ON] = f"{form_in_use()} {logging.getLogger().level}"


def engine_handler() -> logging.Handler:
    """Called wherever vLLM configures its logs; gives its process our handler, if it has none.

    It is the one place where we come into vLLM's processes, so it has them end with the worker.
    """
    end_with_worker()
    root = logging.getLogger()
    if multiprocessing.parent_process() is not None and not root.handlers:
        form, _, level = os.environ.get(_HANDED_ON, "json 20").partition(" ")
        # Older versions put a prefix before whatever is written to sys.stderr.
        handler = logging.StreamHandler(os.fdopen(os.dup(_STDERR), "w", buffering=1))
        handler.setFormatter(line_formatter("console" if form == "console" else "json"))
        root.addHandler(handler)
        root.setLevel(int(level))
    return logging.NullHandler()
