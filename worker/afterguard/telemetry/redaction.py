"""Redaction: what people said, and what opens doors, does not reach the logs."""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from pydantic import SecretStr

_HIDDEN = "[redacted]"
_TEXTS = frozenset(
    {"answer", "body", "content", "message_text", "prompt", "rationale", "text", "value"}
)
_SECRETS = re.compile(
    r"pass(word|wd)?|secret|token$|api_?key|authorization|credential|sasl", re.IGNORECASE
)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^/\s]+@")


def redact(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """A structlog processor: hides texts and secrets by the name of their field."""
    for name, value in event.items():
        event[name] = _shown(name, value)
    return event


def without_credentials(text: str) -> str:
    """A text with the user and password of every address in it hidden."""
    return _URL_CREDENTIALS.sub(f"{_HIDDEN}@", text)


def _shown(name: object, value: Any) -> Any:  # noqa: ANN401
    if isinstance(name, str) and (name in _TEXTS or _SECRETS.search(name)):
        return _HIDDEN
    match value:
        case SecretStr():
            return _HIDDEN
        case str() if "://" in value:
            return without_credentials(value)
        case Mapping():
            return {inner: _shown(inner, it) for inner, it in value.items()}
        case list() | tuple():
            return [_shown("", it) for it in value]
    return value
