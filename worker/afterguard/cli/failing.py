"""How a command fails: the message in one line each, and the named exit code."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from afterguard.contracts.errors import AfterguardError, PolicyError, SettingsError
from afterguard.contracts.exit_codes import exit_code


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turns an error of ours into its message on stderr and its exit code."""
    try:
        yield
    except SettingsError as error:
        for problem in error.problems:
            typer.secho(problem, err=True, fg=typer.colors.RED)
        raise typer.Exit(exit_code(error)) from None
    except PolicyError as error:
        for fault in (error, *error.others):
            typer.secho(str(fault), err=True, fg=typer.colors.RED)
        raise typer.Exit(exit_code(error)) from None
    except AfterguardError as error:
        typer.secho(str(error), err=True, fg=typer.colors.RED)
        raise typer.Exit(exit_code(error)) from None
