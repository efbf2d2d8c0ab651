"""What lint remarks on a policy, where a command does something else with it."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import typer

from afterguard.contracts.errors import EngineUnavailable
from afterguard.engine.formats.harmony import Harmony
from afterguard.policy.lint import lint


@cache
def token_counter() -> Callable[[str], int] | None:
    """Counts as the model does; None when its vocabulary is not installed."""
    try:
        encode = Harmony({}).encode
    except EngineUnavailable:
        return None
    return lambda text: len(encode(text))


def tell_warnings(text: str, file: Path) -> None:
    """Show the warnings on a document on stderr; faults were told when it was read."""
    report = lint(text, file, token_counter())
    for warning in report.warnings:
        typer.secho(str(warning), err=True, fg=typer.colors.YELLOW)
