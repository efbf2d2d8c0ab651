"""Where the operators' tools stand: in the environment's own folder, else in PATH."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

HOME: Final = Path(sys.prefix) / "ops"
NODE_MODULES: Final = HOME / "node" / "node_modules"


def find(name: str) -> Path | None:
    """A tool by its name: `AFTERGUARD_OPS_<NAME>`, what `make ops-tools` fetched, or PATH's."""
    named = os.environ.get(f"AFTERGUARD_OPS_{name.upper().replace('-', '_')}")
    if named:
        return Path(named)
    fetched = HOME / "bin" / name
    if fetched.exists():
        return fetched
    found = shutil.which(name)
    return Path(found) if found else None


def tool(name: str) -> Path:
    """A tool that a test cannot do without.

    Without it the test is skipped, with the way to get it; under CI it fails, since there a check
    that did not run would look like one that passed.
    """
    found = find(name)
    if found is None:
        missing = f"{name} is not here: `make ops-tools` fetches it, or set AFTERGUARD_OPS_*"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found
