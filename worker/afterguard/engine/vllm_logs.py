"""vLLM's logs in the form of ours, those of its own processes included.

vLLM reads `vllm_logs.json` in every process that it starts. In this process its records go to the
handlers that are here already; in its own processes, which have none, `engine_handler` makes lines
like ours. Neither prompts nor outputs are logged: `vllm_arguments` refuses request logging.
"""

import logging
import multiprocessing
import os
from pathlib import Path
from typing import Final

from afterguard.telemetry.logs import form_in_use, line_formatter

_FILE: Final = "VLLM_LOGGING_CONFIG_PATH"
_SWITCH: Final = "VLLM_CONFIGURE_LOGGING"
# Tells vLLM's processes the form and the level of ours.
_HANDED_ON: Final = "_AFTERGUARD_ENGINE_LOGS"
_STDERR: Final = 2


def configure_vllm_logs() -> None:
    """Must come before vLLM is imported; does nothing where somebody has configured its logs."""
    if _FILE in os.environ or _SWITCH in os.environ:
        return
    os.environ[_FILE] = str(Path(__file__).with_suffix(".json"))
    os.environ[_HANDED_ON] = f"{form_in_use()} {logging.getLogger().level}"


def engine_handler() -> logging.Handler:
    """The handler of vLLM's records in the process that asks."""
    if multiprocessing.parent_process() is None:
        return logging.NullHandler()
    form, _, level = os.environ.get(_HANDED_ON, "json 20").partition(" ")
    logging.getLogger().setLevel(int(level))
    # Older versions put a prefix before whatever is written to sys.stderr.
    handler = logging.StreamHandler(os.fdopen(os.dup(_STDERR), "w", buffering=1))
    handler.setFormatter(line_formatter("console" if form == "console" else "json"))
    return handler
