"""deploy/compose.yaml as Compose reads it when nobody has set anything."""

import re
from pathlib import Path
from typing import Any, Final

import yaml

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
TEXT: Final = (DEPLOY / "compose.yaml").read_text()
# `${NAME:-default}`, the only form that is used.
VARIABLE: Final = re.compile(r"\$\{([A-Z_]+):-([^}]*)\}")
# These end by themselves.
ONE_SHOT: Final = {"topics"}
COMMANDS: Final = {"topics", "traffic"}
WORKERS: Final = {"worker-gpu", "worker-cpu"}


def with_defaults(value: Any) -> Any:
    """The same, with each variable's default in its place."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda found: found[2], value)
    if isinstance(value, dict):
        return {key: with_defaults(it) for key, it in value.items()}
    if isinstance(value, list):
        return [with_defaults(it) for it in value]
    return value


COMPOSE: Final = with_defaults(yaml.safe_load(TEXT))
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
