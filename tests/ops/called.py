"""A program of the operators, called; what it said when it fails."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

_SAID = 4_000


def called(
    program: Path,
    arguments: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    check: bool = True,
    name: str | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run it.

    Args:
        program: Where it stands.
        arguments: All of them.
        environment: All that it sees.
        timeout_s: How long it may take, seconds.
        check: Fail the test when it ends with another code than 0.
        name: Which of the arguments tells what was asked; the first when absent.
    """
    done = subprocess.run(
        [program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    if check and done.returncode:
        said = (done.stdout + done.stderr)[-_SAID:]
        asked = name or arguments[0]
        pytest.fail(f"{program.name} {asked} ended with {done.returncode}:\n{said}")
    return done
