"""`afterguard schema`: the contracts as JSON Schemas and an AsyncAPI document."""

from pathlib import Path
from typing import Final

import typer

from afterguard.cli.failing import told_plainly
from afterguard.contracts.asyncapi_document import document_text
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.schema_documents import CONTRACTS, checked_in, schema_text

_DRIFTED: Final = 1
_UNKNOWN: Final = 2
_ASYNCAPI: Final = "asyncapi"
NAMES: Final = (*CONTRACTS, _ASYNCAPI)


def schema_command(
    name: str | None = typer.Argument(None, help=f"One of {', '.join(NAMES)}; all when absent."),
    out: Path | None = typer.Option(
        None, metavar="FOLDER", help="Write the files into this folder."
    ),
    check: bool = typer.Option(
        False, "--check", help="Compare with the files (of --out, or as shipped); 1 on drift."
    ),
) -> None:
    """Print, write or check the contracts: JSON Schemas and an AsyncAPI document.

    A NAME alone is printed; without a NAME the files are listed.

    Example:  afterguard schema chat-event

    After a change of the models:  afterguard schema --out worker/afterguard/contracts/schemas
    """
    if name is not None and name not in NAMES:
        typer.secho(f"no such contract: {name}; there are {', '.join(NAMES)}", err=True, fg="red")
        raise typer.Exit(_UNKNOWN)
    chosen = NAMES if name is None else (name,)
    if check:
        _check(chosen, out)
    elif out is not None:
        with told_plainly():
            _write(chosen, out)
    elif name is None:
        for one in chosen:
            typer.echo(file_name(one))
    else:
        typer.echo(text(name), nl=False)


def file_name(name: str) -> str:
    """The file of a contract."""
    return f"{name}.yaml" if name == _ASYNCAPI else f"{name}.json"


def text(name: str) -> str:
    """A contract as its file should be."""
    return document_text() if name == _ASYNCAPI else schema_text(name)


def _write(names: tuple[str, ...], out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in names:
            path = out / file_name(name)
            path.write_text(text(name), encoding="utf-8")
            typer.echo(f"wrote {path}")
    except OSError as error:
        raise SettingsError([f"--out {out}: cannot be written: {error.strerror}"]) from None


def _check(names: tuple[str, ...], out: Path | None) -> None:
    drifted = [name for name in names if _found(name, out) != text(name)]
    for name in drifted:
        state = "is missing" if _found(name, out) is None else "differs from the models"
        typer.secho(f"{file_name(name)} {state}", err=True, fg="red")
    if drifted:
        raise typer.Exit(_DRIFTED)
    typer.echo(f"{len(names)} files agree with the models")


def _found(name: str, out: Path | None) -> str | None:
    if out is None:
        return checked_in(file_name(name))
    path = out / file_name(name)
    return path.read_text(encoding="utf-8") if path.is_file() else None
