"""Commands as a person calls them: in this process, or as a process of their own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import structlog
from typer.testing import CliRunner

from afterguard.cli.main import app

Argument = str | Path
_LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Told:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


def afterguard(*arguments: Argument, given: bytes | None = None) -> Told:
    """Call a command in this process; an error that it should have told raises here.

    Args:
        arguments: What stands behind `afterguard`.
        given: Standard input.
    """
    # The logs of the test run stay as they are.
    quiet = patch("afterguard.cli.options.configure_logs")
    with quiet, structlog.testing.capture_logs():
        result = CliRunner().invoke(
            app, [str(it) for it in arguments], given, catch_exceptions=False
        )
    return Told(result.exit_code, result.stdout, result.stderr)


def start(*arguments: Argument, **variables: str) -> "subprocess.Popen[bytes]":
    """Start a command as a process of its own, with pipes on all three sides."""
    return subprocess.Popen(
        [sys.executable, "-m", "afterguard", *(str(it) for it in arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(variables),
    )


def ended(process: "subprocess.Popen[bytes]", given: bytes | None = None) -> Told:
    """Wait for a process, killing it when it takes too long, and read what it said."""
    try:
        out, err = process.communicate(given, timeout=_LIMIT_S)
    finally:
        process.kill()
        process.wait()
    return Told(process.returncode, out.decode(), err.decode())


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment without a person's own settings, and with these variables."""
    own: dict[str, str] = {
        name: it for name, it in os.environ.items() if not name.startswith("AFTERGUARD_")
    }
    return own | dict(variables)
