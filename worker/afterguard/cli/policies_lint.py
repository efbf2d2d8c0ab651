"""`afterguard policies lint` and `show`: what is wrong with policies, and what the model reads."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import orjson
import typer
from rich.table import Table

from afterguard.cli.chosen_policy import chosen_policy
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG
from afterguard.cli.policy_remarks import token_counter
from afterguard.cli.wide_console import wide_console
from afterguard.contracts.errors import PolicyError, SettingsError
from afterguard.contracts.exit_codes import ExitCode
from afterguard.contracts.policies import Policy
from afterguard.engine.prompt import instructions
from afterguard.flow.together import in_prompt_order
from afterguard.policy.document import read_text
from afterguard.policy.golden import golden_path, read_golden
from afterguard.policy.lint import Report, clashes, lint
from afterguard.policy.lint_golden import golden_remarks
from afterguard.policy.registry import policy_files, shipped_policies
from afterguard.settings import load_settings

_WIDE: Final = 160


def lint_command(
    paths: list[Path] | None = typer.Argument(
        None, help="Documents or folders; the folder of the settings, or the shipped policies."
    ),
    config: Path | None = CONFIG,
    strict: bool = typer.Option(False, "--strict", help="Fail on warnings too."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object."),
) -> None:
    """Tell every fault of every document and its golden set in one go, with file, line and field.

    Faults keep a worker from starting. Warnings say what makes a policy hard to follow; they
    refuse nothing unless --strict is given. Exits 78 on faults.

    Example:  afterguard policies lint policies/ --strict
    """
    with told_plainly():
        files = _documents(paths, config)
        count = token_counter()
    if count is None:
        typer.echo("lengths are not checked: the harmony vocabulary is not installed", err=True)
    reports = clashes([_report(file, count) for file in files])
    failed = any(it.faults or (strict and it.warnings) for it in reports)
    if as_json:
        typer.echo(orjson.dumps(_as_dict(reports, ok=not failed)).decode())
    else:
        _tell(reports)
    if failed:
        raise typer.Exit(ExitCode.CONFIGURATION)


def show_command(
    names: list[str] = typer.Argument(
        metavar="POLICY...", help="Ids of policies, or paths of policy documents."
    ),
    config: Path | None = CONFIG,
) -> None:
    """Print all that the model is told under a policy, before the content itself.

    Of several policies it prints the prompt that they share under `judging.prompt: combined`.

    Example:  afterguard policies show harassment
    """
    with told_plainly():
        settings = load_settings(config)
        chosen = [chosen_policy(name, settings.policies) for name in dict.fromkeys(names)]
        if len({policy.id for policy in chosen}) < len(chosen):
            raise SettingsError(["a prompt holds each policy once: two of these have the same id"])
    if len(chosen) > settings.judging.combined_most:
        typer.echo("a worker shares so many among prompts: see judging.combined_most", err=True)
    first, *also = in_prompt_order(chosen)
    typer.echo(instructions(first, also), nl=False)


def _documents(paths: Sequence[Path] | None, config: Path | None) -> list[Path]:
    if not paths:
        paths = [load_settings(config).policies.directory or shipped_policies()]
    files: dict[Path, None] = {}
    for path in paths:
        found = policy_files(path) if path.is_dir() else [path]
        if not found:
            raise SettingsError([f"{path} holds no policy (`*.md`)"])
        files |= dict.fromkeys(found)
    return list(files)


def _report(file: Path, count: Callable[[str], int] | None) -> Report:
    try:
        report = lint(read_text(file), file, count)
    except PolicyError as error:
        return Report(file, faults=(error,))
    return report if report.policy is None else _with_golden_set(report, report.policy)


def _with_golden_set(report: Report, policy: Policy) -> Report:
    path = golden_path(report.file, policy.id)
    try:
        rows = read_golden(path, policy) if path.exists() else None
    except PolicyError as error:
        return report._replace(faults=(error, *error.others))
    remarks = golden_remarks(policy, report.file, path, rows)
    return report._replace(warnings=(*report.warnings, *remarks))


def _tell(reports: list[Report]) -> None:
    for fault in chain.from_iterable(it.faults for it in reports):
        typer.secho(str(fault), fg=typer.colors.RED)
    for warning in chain.from_iterable(it.warnings for it in reports):
        typer.secho(str(warning), fg=typer.colors.YELLOW)
    table = Table("policy", "version", "stage", "rules", "tokens", "file", box=None)
    for report in reports:
        if report.policy is not None and not report.faults:
            it = report.policy
            length = "-" if report.tokens is None else str(report.tokens)
            rules = ", ".join(rule.id for rule in it.rules)
            table.add_row(it.id, it.version, it.stage.value, rules, length, str(report.file))
    if table.row_count:
        wide_console(_WIDE).print(table)
    faults = sum(len(it.faults) for it in reports)
    warnings = sum(len(it.warnings) for it in reports)
    typer.echo(f"documents: {len(reports)}, faults: {faults}, warnings: {warnings}")


def _as_dict(reports: list[Report], *, ok: bool) -> dict[str, object]:
    return {
        "ok": ok,
        "policies": [
            {
                "file": str(it.file),
                "id": it.policy.id,
                "version": it.policy.version,
                "stage": it.policy.stage,
                "rules": [rule.id for rule in it.policy.rules],
                "tokens": it.tokens,
            }
            for it in reports
            if it.policy is not None and not it.faults
        ],
        "faults": [
            {
                "file": str(it.file),
                "line": fault.line,
                "field": fault.field,
                "message": fault.message,
            }
            for it in reports
            for fault in it.faults
        ],
        "warnings": [
            warning._asdict() | {"file": str(warning.file)}
            for it in reports
            for warning in it.warnings
        ],
    }
