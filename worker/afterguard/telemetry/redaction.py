"""Redaction: what people said, and what opens doors, does not reach the logs."""

import re
from collections.abc import MutableMapping
from typing import Any

from pydantic import SecretStr

_HIDDEN = "[redacted]"
_TEXTS = frozenset(
    {"answer", "body", "content", "message_text", "prompt", "rationale", "text", "value"}
)
_SECRETS = re.compile(
    r"pass(word|wd)?|secret|token$|api_?key|authorization|credential|sasl", re.IGNORECASE
)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: hides texts and secrets by the name of their field."""
    for name, value in event.items():
        if name in _TEXTS or _SECRETS.search(name) or isinstance(value, SecretStr):
            event[name] = _HIDDEN
        elif isinstance(value, str) and "://" in value:
            event[name] = _URL_CREDENTIALS.sub(f"{_HIDDEN}@", value)
    return event
