"""`afterguard policies test`: how a policy judges its golden set."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import orjson
import typer

from afterguard.cli.chosen_policy import chosen_policy, document_of, is_path
from afterguard.cli.embedded_engine import embedded_engine
from afterguard.cli.failing import told_plainly
from afterguard.cli.golden_judged import judged
from afterguard.cli.golden_told import golden_fields, tell_golden, tell_slices
from afterguard.cli.options import CONFIG, settings_of
from afterguard.cli.policy_desk import calibration_of
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.exit_codes import ExitCode
from afterguard.evaluation.evasions import EVASIONS, disguised
from afterguard.evaluation.golden_run import LEAST, MOST_FLIPS
from afterguard.policy.golden import golden_path, read_golden
from afterguard.policy.labelled import LabelledRow


def golden_command(
    policy: str = typer.Argument(help="Id of a policy, or the path of a policy document."),
    config: Path | None = CONFIG,
    golden: Path | None = typer.Option(
        None, "--golden", metavar="FILE", help="Instead of `golden/<id>.jsonl` beside the document."
    ),
    evasions: bool = typer.Option(
        False, "--evasions", help=f"Disguise every row in {len(EVASIONS)} ways, too."
    ),
    only: list[str] = typer.Option(
        [], "--only", metavar="TAG", help="Rows of this tag or evasion alone. May be given again."
    ),
    least: float = typer.Option(
        LEAST, "--least", min=0.0, max=1.0, help="Share of the own rows that must be right."
    ),
    most_flips: float = typer.Option(
        MOST_FLIPS, "--most-flips", min=0.0, max=1.0, help="Share of variants that may flip."
    ),
    embedded: bool = typer.Option(
        False, "--embedded", help="Use the small model of the demo (no judge, no GPU)."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object, without texts."),
) -> None:
    """Judge a policy's golden set by the engine of the settings, and show what it gets wrong.

    A row is right when its outcome is the expected one and, where it names rules, one of them is
    cited; an uncertain or unanswered row is not. A variant flips when its outcome differs from
    that of the row it disguises. Changes nothing; exits 83 when the set does not pass.

    Example:  afterguard policies test harassment

    How well it sees through disguises:  afterguard policies test hate --evasions --only homoglyphs
    """
    with told_plainly():
        settings = settings_of(config)
        chosen = chosen_policy(policy, settings.policies)
        document = Path(policy) if is_path(policy) else document_of(chosen.id, settings.policies)
        rows = read_golden(golden or golden_path(document, chosen.id), chosen)
        fitted = calibration_of(chosen, document, settings)
        if evasions:
            rows += disguised(rows, chosen)
        rows = _of_tags(rows, only)
        if embedded:
            settings = settings_of(config, overrides=embedded_engine())
        found = asyncio.run(
            judged(
                settings,
                chosen,
                rows,
                calibration=fitted,
                least=least,
                most_flips=most_flips,
            )
        )
    if as_json:
        typer.echo(orjson.dumps(golden_fields(found.report, found.model)).decode())
    else:
        tell_slices(found.report)
        tell_golden(found.report)
    if not found.report.passes:
        raise typer.Exit(ExitCode.REFUSED)


def _of_tags(rows: Sequence[LabelledRow], tags: Sequence[str]) -> list[LabelledRow]:
    """Rows of one of the tags, and those that they disguise; all rows without a tag.

    Raises:
        SettingsError: No row has such a tag.
    """
    if not tags:
        return list(rows)
    there = {tag for row in rows for tag in row.tags}
    if unknown := sorted(set(tags) - there):
        raise SettingsError(
            [f"no row is tagged {', '.join(unknown)}; there are {', '.join(sorted(there))}"]
        )
    chosen = {row.row_id for row in rows if set(row.tags) & set(tags)}
    chosen |= {row.variant_of for row in rows if row.row_id in chosen and row.variant_of}
    return [row for row in rows if row.row_id in chosen]
