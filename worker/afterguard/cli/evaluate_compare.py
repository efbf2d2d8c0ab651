"""`afterguard eval compare`: two runs side by side, and whether the second is worse."""

from pathlib import Path
from typing import Final

import typer

from afterguard.cli.failing import told_plainly
from afterguard.contracts.errors import SettingsError
from afterguard.evaluation.extras import require_eval

_REGRESSED: Final = 1


def compare_command(
    first: Path = typer.Argument(help="Folder of the run before."),
    second: Path = typer.Argument(help="Folder of the run to be judged."),
    tolerance: float = typer.Option(
        0.02, min=0, max=1, help="A change for the worse up to this does not matter."
    ),
    judges: str | None = typer.Option(
        None,
        metavar="A,B",
        help="Which judge of each run, such as model,classifier; the only one when absent.",
    ),
    partial: bool = typer.Option(
        False, "--partial", help="Allow a second run that is not at its end."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Put two runs side by side, on the rows that both have judged.

    Exits 1 on a regression: precision, recall, F1 or the share of false alarms of a policy became
    worse by more than the tolerance, and zero lies outside the 95 % interval of the difference over
    pairs of the same row. What chance may explain is told and does not fail; more rows would tell.
    Nor do measures in brackets. It exits 1, too, when the second run is not at its end.

    Example:  afterguard eval compare runs/main runs/branch --tolerance 0.02
    """
    with told_plainly():
        require_eval()
        # These need packages of the extra.
        from afterguard.cli.evaluate_compare_told import tell_comparison  # noqa: PLC0415
        from afterguard.evaluation.compare import compare_runs  # noqa: PLC0415

        compared = compare_runs(first, second, tolerance=tolerance, judges=_judges(judges))
    if as_json:
        typer.echo(compared.model_dump_json())
    else:
        tell_comparison(compared)
    if compared.regressed or (compared.missing and not partial):
        raise typer.Exit(_REGRESSED)


def _judges(given: str | None) -> tuple[str | None, str | None]:
    if given is None:
        return None, None
    first, _, second = (part.strip() for part in given.partition(","))
    if not (first and second):
        raise SettingsError([f"--judges {given}: must be two, such as model,classifier"])
    return first, second
