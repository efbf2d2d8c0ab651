"""`afterguard prefilter`: fit small classifiers, and show what they promise."""

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import typer

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.cli.prefilter_fit import fit_command
from afterguard.contracts.errors import SettingsError
from afterguard.prefilter.extra import require_extra
from afterguard.settings import load_settings

if TYPE_CHECKING:
    from afterguard.prefilter.artefact import Artefact

prefilter_app = typer.Typer(
    no_args_is_help=True,
    help="Fit small classifiers that spare the model, or stand in for it, and show what they "
    "promise.",
)
prefilter_app.command("fit")(fit_command)

_NAME = typer.Argument(help="Name of a classifier, or the path of its folder.")


@prefilter_app.command("show")
def show_command(
    name: str = _NAME,
    config: Path | None = CONFIG,
    as_json: bool = typer.Option(False, "--json", help="Print the card as one JSON object."),
) -> None:
    """Show what a classifier was fitted on, and what it promises; every part is checked.

    Example:  afterguard prefilter show spam
    """
    with told_plainly():
        artefact = _read(name, config)
        from afterguard.cli.prefilter_told import tell  # noqa: PLC0415 (an extra)
    if as_json:
        typer.echo(artefact.card.model_dump_json())
    else:
        tell(artefact.card)


@prefilter_app.command("check")
def check_command(
    name: str = _NAME,
    text: str = typer.Argument(help="The text to score."),
    config: Path | None = CONFIG,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Score one text, and say whether it would be forwarded to the model.

    Example:  afterguard prefilter check spam "cheap followers, write me"
    """
    with told_plainly():
        artefact = _read(name, config)
        from afterguard.policy.normal_form import normal_form  # noqa: PLC0415 (for this alone)
        from afterguard.prefilter.artefact import Damaged  # noqa: PLC0415 (an extra)
        from afterguard.prefilter.classifier import load_classifier  # noqa: PLC0415 (an extra)

        try:
            (score,) = load_classifier(artefact).score([normal_form(text)])
        except Damaged as error:
            raise SettingsError([str(error)]) from None
    card = artefact.card
    forwarded = {
        f"{it.target_recall:g}": score is None or score >= it.threshold for it in card.thresholds
    }
    if as_json:
        told = {"classifier": card.reference, "score": score, "forwarded": forwarded}
        typer.echo(orjson.dumps(told).decode())
        return
    typer.echo("score  none: too long" if score is None else f"score  {score:.4f}")
    for it in card.thresholds:
        fate = "forwarded" if forwarded[f"{it.target_recall:g}"] else "skipped"
        held = "" if it.met else ", which is not borne out"
        typer.echo(f"recall {it.target_recall:g}: {fate} (threshold {it.threshold:.4f}{held})")


def _read(name: str, config: Path | None) -> "Artefact":
    require_extra()
    from afterguard.prefilter.artefact import Damaged, read_artefact  # noqa: PLC0415 (an extra)

    # A path is taken as it is, so that a folder elsewhere can be looked at.
    folder = Path(name) if "/" in name else load_settings(config).prefilter.directory / name
    try:
        return read_artefact(folder.resolve())
    except Damaged as error:
        raise SettingsError([str(error)]) from None
