"""Logs are JSON, cover every library, and hold neither what people said nor what opens doors."""

import subprocess
import sys

import orjson
import pytest
from pydantic import SecretStr

from afterguard.telemetry.redaction import redact

SCRIPT = """
import logging, structlog
from afterguard.telemetry.logs import configure_logs
from afterguard.telemetry.settings import LogSettings
configure_logs(LogSettings())
structlog.get_logger("ours").info("judged", partition=3, offset=9, content="SAID", api_key="KEY")
logging.getLogger("vllm.engine").warning("started at %s", "redis://u:PASS@h")
logging.getLogger("httpx2").info("HTTP Request: one for each of ours")
try:
    raise ConnectionError("redis://u:P@SS@h is away")
except ConnectionError:
    structlog.get_logger("ours").exception("broken")
    logging.getLogger("theirs").exception("broken too")
"""


ASKING = """
import openai
from afterguard.telemetry.logs import configure_logs
from afterguard.telemetry.settings import LogSettings
configure_logs(LogSettings(level="debug"))
client = openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="KEY", max_retries=0)
try:
    client.chat.completions.create(model="m", messages=[{"role": "user", "content": "SAID"}])
except openai.APIConnectionError:
    configure_logs(LogSettings())
    import logging
    logging.getLogger("ours").info("refused")
"""


def _lines(script: str = SCRIPT) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, timeout=60
    )
    assert done.stdout == b""
    return [orjson.loads(line) for line in done.stderr.splitlines()]


def test_every_line_is_json_whoever_wrote_it() -> None:
    ours, theirs, *broken = _lines()
    assert (ours["event"], ours["partition"], ours["level"]) == ("judged", 3, "info")
    assert (theirs["logger"], theirs["level"]) == ("vllm.engine", "warning")
    assert ["ConnectionError" in str(it["exception"]) for it in broken] == [True, True]
    assert str(ours["timestamp"]).endswith("Z")


def test_a_client_library_does_not_tell_every_request() -> None:
    assert "HTTP Request" not in str(_lines())


def test_the_client_of_a_model_server_tells_no_text_at_any_level() -> None:
    pytest.importorskip("openai", reason="the extra openai is not installed")
    written = str(_lines(ASKING))
    assert "refused" in written
    assert "SAID" not in written
    assert "KEY" not in written


def test_texts_and_secrets_are_hidden() -> None:
    written = str(_lines())
    for hidden in ("SAID", "KEY", "PASS", "P@SS", "SS@"):
        assert hidden not in written


@pytest.mark.parametrize(
    "name", ["content", "rationale", "answer", "password", "api_key", "sasl_plain", "auth_token"]
)
def test_a_field_is_hidden_by_its_name(name: str) -> None:
    assert redact(None, "info", {name: "x"}) == {name: "[redacted]"}


def test_credentials_in_an_address_are_hidden() -> None:
    told = redact(None, "info", {"url": "redis://user:secret@host:6379"})
    assert told["url"] == "redis://[redacted]@host:6379"


@pytest.mark.parametrize("password", ["secret", "se@cret", "se:cret", "@"])
def test_a_password_in_an_address_is_hidden_whatever_is_in_it(password: str) -> None:
    told = redact(None, "info", {"detail": f"cannot reach redis://user:{password}@host/0"})
    assert told["detail"] == "cannot reach redis://[redacted]@host/0"


def test_what_lies_deeper_is_hidden_too() -> None:
    told = redact(
        None, "info", {"engine": {"api_key": "x", "args": [{"content": "x"}, SecretStr("x")]}}
    )
    assert told == {
        "engine": {"api_key": "[redacted]", "args": [{"content": "[redacted]"}, "[redacted]"]}
    }


def test_a_secret_value_is_hidden_under_any_name() -> None:
    assert redact(None, "info", {"odd": SecretStr("x")}) == {"odd": "[redacted]"}


def test_counts_of_tokens_are_no_secret() -> None:
    assert redact(None, "info", {"prompt_tokens": 7}) == {"prompt_tokens": 7}
