"""`afterguard eval calibrate`: what scores of a run mean, and thresholds for what is wanted."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson
import typer

from afterguard.cli.eval_calibrate_told import Calibrated, as_dict, tell
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.contracts.errors import SettingsError
from afterguard.evaluation.extras import require_eval
from afterguard.policy.calibration import calibration_folder
from afterguard.policy.calibration_document import Calibration, read_calibration, write_calibration
from afterguard.settings import load_settings

if TYPE_CHECKING:  # it needs packages of the extra
    from afterguard.evaluation.fit_scores import ScoredRows
    from afterguard.evaluation.thresholds import Want

_REFUSED: Final = 1


def calibrate_command(
    run: Path = typer.Option(
        ..., "--run", metavar="PATH", help="Folder of a run of `afterguard eval`, or its results."
    ),
    policy: list[str] | None = typer.Option(
        None, "--policy", metavar="ID", help="Only this policy; may be given again."
    ),
    want: list[str] | None = typer.Option(
        None,
        "--want",
        metavar="KIND=LEAST",
        help="Choose a threshold for `precision=0.95` or `recall=0.9`; may be given again.",
    ),
    method: str = typer.Option("auto", help="auto, platt or isotonic."),
    out: Path | None = typer.Option(
        None,
        "--out",
        metavar="FOLDER",
        help="Where `<policy id>.json` is written; the calibration folder of the settings when "
        "absent.",
    ),
    dry_run: bool = typer.Option(False, "--dry-run", help="Tell all of it; write nothing."),
    config: Path | None = CONFIG,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Fit what the scores of a run mean, and show how far off they were.

    One curve for each policy version, model and effort, saved as JSON; a worker applies it to
    exactly these. Thresholds are chosen by their lower confidence bound and checked on folds that
    they were not chosen on; the lines for the policy's front matter are printed.

    It takes 10 violations and 10 others with a score, and 50 of each before there is no warning.
    Exits 1 when a policy could not be fitted.

    Example:  afterguard eval calibrate --run runs/monday --want precision=0.95 --want recall=0.9
    """
    with told_plainly():
        require_eval()
        wants = _wants(want or [])
        folder = None if dry_run else _folder(out, config)
        done = [_calibrated(rows, method, wants) for rows in _rows(run, policy or [])]
        if folder is not None:
            _save(done, folder)
    if as_json:
        typer.echo(orjson.dumps(as_dict(done, folder)).decode())
    else:
        tell(done, folder)
    if any(it.fitted is None for it in done):
        raise typer.Exit(_REFUSED)


def _wants(given: Sequence[str]) -> "list[Want]":
    from afterguard.evaluation.thresholds import Kind, Want  # noqa: PLC0415 (an extra)

    wants = []
    for text in given:
        kind, _, least = text.partition("=")
        try:
            want = Want(Kind(kind), float(least))
        except ValueError:
            want = None
        if want is None or not 0 < want.least < 1:
            raise SettingsError([f"--want {text}: write precision=0.95 or recall=0.9, below 1"])
        wants.append(want)
    return wants


def _folder(out: Path | None, config: Path | None) -> Path:
    folder = out or calibration_folder(load_settings(config).policies)
    if folder is None:
        raise SettingsError(["--out: needed when policies.directory is not set"])
    return folder


def _rows(run: Path, policies: Sequence[str]) -> "list[ScoredRows]":
    from afterguard.evaluation.results import RESULTS, read_results  # noqa: PLC0415
    from afterguard.evaluation.run_record import read_record  # noqa: PLC0415
    from afterguard.evaluation.scored_results import scored_rows  # noqa: PLC0415 (an extra)

    folder = run.parent if run.name == RESULTS else run
    if not (folder / RESULTS).is_file():
        raise SettingsError([f"--run: {folder} holds no {RESULTS}; `afterguard eval` makes it"])
    record = read_record(folder)
    if record is not None and record.prompt == "combined":
        # Such a score depends on the other policies in the prompt.
        raise SettingsError([f"--run: {folder} is of combined prompts; run it with one per policy"])
    found = scored_rows(read_results(folder))
    known = sorted({it.policy for it in found})
    if unknown := sorted(set(policies) - set(known)):
        raise SettingsError(
            [f"--policy: not in this run: {', '.join(unknown)}; there are {', '.join(known)}"]
        )
    if not found:
        raise SettingsError([f"--run: no model judged anything in {folder}"])
    return [it for it in found if not policies or it.policy in policies]


def _calibrated(rows: "ScoredRows", method: str, wants: "Sequence[Want]") -> Calibrated:
    from afterguard.evaluation.fit_scores import (  # noqa: PLC0415 (an extra)
        CannotBeFitted,
        Method,
        fit_scores,
    )

    if method not in {it.value for it in Method}:
        raise SettingsError([f"--method {method}: there are {', '.join(Method)}"])
    try:
        fitted = fit_scores(rows, at=datetime.now(UTC), method=Method(method), wants=wants)
    except CannotBeFitted as refusal:
        return Calibrated(rows, None, str(refusal))
    return Calibrated(rows, fitted, "")


def _save(done: Sequence[Calibrated], folder: Path) -> None:
    kept: dict[Path, Calibration] = {}
    for rows, fitted, _ in done:
        if fitted is None:
            continue
        path = folder / f"{rows.policy}.json"
        if path not in kept:
            there = path.exists()
            kept[path] = read_calibration(path) if there else Calibration(policy=rows.policy)
        kept[path] = kept[path].with_fit(fitted.fit)
    for path, calibration in kept.items():
        write_calibration(path, calibration)
