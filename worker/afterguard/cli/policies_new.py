"""`afterguard policies new`: a first draft of a policy, and of its golden set."""

import re
from pathlib import Path
from typing import Final

import typer

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import ID_PATTERN
from afterguard.policy.document import parse_policy
from afterguard.policy.golden import golden_path
from afterguard.policy.template import draft
from afterguard.settings import load_settings

_HERE: Final = Path("policies")


def new_command(
    policy_id: str = typer.Argument(metavar="ID", help="Lower case, such as queue-jumping."),
    out: Path | None = typer.Option(
        None, "--out", metavar="DIR", help="The folder of the settings when absent, or policies/."
    ),
    title: str | None = typer.Option(None, "--title", help="For people, and for the model."),
    owner: str | None = typer.Option(None, "--owner", help="Whom to ask about it."),
    config: Path | None = CONFIG,
) -> None:
    """Write a first draft of a policy, and of the golden set that it must pass.

    Both say what belongs where; what is left to write is marked TODO. Files that are there already
    are never touched.

    Example:  afterguard policies new queue-jumping --out my-policies
    """
    if re.fullmatch(ID_PATTERN, policy_id) is None:
        raise typer.BadParameter(f"{policy_id!r} is no id: lower case letters, digits and hyphens")
    with told_plainly():
        folder = out or load_settings(config).policies.directory or _HERE
        document = folder / f"{policy_id}.md"
        golden = golden_path(document, policy_id)
        written = draft(policy_id, title=title, owner=owner)
        parse_policy(written.document, document)
        _write({document: written.document, golden: written.golden})
    typer.echo(f"wrote {document}\nwrote {golden}")
    typer.echo(f"Write what is marked TODO, then:  afterguard policies lint {document}")


def _write(files: dict[Path, str]) -> None:
    if there := [str(it) for it in files if it.exists()]:
        raise SettingsError([f"{it} is there already; nothing was written" for it in there])
    try:
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise SettingsError([f"{error.filename}: cannot be written: {error.strerror}"]) from None
