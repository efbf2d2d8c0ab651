"""A Kafka-protocol broker for demos and tests: noida-db, one node, loopback only.

It serves groups, transactions and idempotent producers; it loses acknowledged records when it is
killed and elects no new group leader, so it proves the worker's behaviour and never the broker's.
"""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from afterguard.contracts.errors import SettingsError
from afterguard.embedded.process import EmbeddedProcess, free_port, port_answers

# For `kafka.empty_fetch_pause_ms`: it answers an empty fetch at once, and a client that asks again
# at once takes half a core.
EMPTY_FETCH_PAUSE_MS = 50


class EmbeddedBroker(EmbeddedProcess):
    """An async context manager; the broker lives as long as its block.

    Raises:
        SettingsError: The package is not installed.
    """

    def __init__(self) -> None:
        binary = _binary()
        self._port = free_port()

        def command(folder: Path) -> Sequence[str]:
            data = str(folder / "data")
            options = ["--only", "kafka", "--kafka-port", str(self._port), "--data-dir", data]
            return [binary, "start", *options]

        super().__init__("broker", command, lambda: port_answers(self._port))

    @property
    def bootstrap_servers(self) -> str:
        """Its address."""
        return f"127.0.0.1:{self._port}"


def _binary() -> str:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise SettingsError(
            ["the embedded broker is not installed; pip install 'afterguard[demo]'"]
        )
    return str(Path(spec.origin).with_name("noida-db"))
