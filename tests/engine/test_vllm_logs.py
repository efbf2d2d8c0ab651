"""vLLM's logs come in our form from every process that it starts."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from afterguard.engine.vllm_logs import configure_vllm_logs

_SCRIPT = """
import json, logging, logging.config, multiprocessing, os
from afterguard.engine.vllm_logs import configure_vllm_logs
from afterguard.telemetry.logs import configure_logs
from afterguard.telemetry.settings import LogSettings

def as_vllm_does():
    if "VLLM_LOGGING_CONFIG_PATH" in os.environ:
        with open(os.environ["VLLM_LOGGING_CONFIG_PATH"]) as file:
            logging.config.dictConfig(json.load(file))
    logging.getLogger("vllm.engine").debug("not this")
    logging.getLogger("vllm.engine").info("from %s", multiprocessing.current_process().name)
    logging.getLogger("torch").warning("a neighbour")

if __name__ == "__main__":
    configure_logs(LogSettings())
    configure_vllm_logs()
    as_vllm_does()
    child = multiprocessing.get_context("spawn").Process(target=as_vllm_does, name="EngineCore")
    child.start()
    child.join()
"""


def test_each_record_is_one_line_of_json_whichever_process_wrote_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    done = subprocess.run([sys.executable, script], capture_output=True, check=True, timeout=60)
    lines = [orjson.loads(line) for line in done.stderr.splitlines()]
    assert [line["event"] for line in lines] == [
        "from MainProcess",
        "a neighbour",
        "from EngineCore",
        "a neighbour",
    ]
    assert {line["logger"] for line in lines} == {"vllm.engine", "torch"}


@pytest.mark.parametrize("variable", ["VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING"])
def test_what_somebody_has_configured_is_left_alone(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VLLM_LOGGING_CONFIG_PATH", "VLLM_CONFIGURE_LOGGING"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "theirs")
    before = dict(os.environ)
    configure_vllm_logs()
    assert dict(os.environ) == before
