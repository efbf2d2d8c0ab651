"""`afterguard prefilter fit`: a small classifier out of labelled texts or logged verdicts."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from afterguard.cli.chosen_policy import chosen_policy
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, settings_of
from afterguard.contracts.errors import SettingsError
from afterguard.contracts.policies import ClassifierName
from afterguard.prefilter.extra import require_extra
from afterguard.settings import Settings

if TYPE_CHECKING:
    from afterguard.prefilter.fit import Labelled

_NOT_BORNE_OUT: Final = 1
_NAMES: Final = TypeAdapter(ClassifierName)
_TARGETS: Final = (0.99,)

Show = Callable[[str, int, int], None]


def fit_command(
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", "-d", metavar="FILE", help="Labelled rows; may be repeated."),
    ] = None,
    from_audit: bool = typer.Option(
        False, "--from-audit", help="Labels are the model's verdicts in `topics.audit`."
    ),
    target_recall: Annotated[
        list[float] | None,
        typer.Option(metavar="SHARE", help="Recall to be reached, 0.99; may be repeated."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD", help="What a violation is: this label, or any of several."),
    ] = None,
    policy: str | None = typer.Option(
        None, "--policy", "-p", help="What a violation is: of this policy (id or document)."
    ),
    version: str | None = typer.Option(
        None, "--version", help="With --from-audit: verdicts of this policy version alone."
    ),
    any_label: bool = typer.Option(False, "--any", help="What a violation is: any label."),
    only_known: bool = typer.Option(
        False, "--only-known", help="With --any: leave out rows that say nothing of some labels."
    ),
    name: str | None = typer.Option(None, help="Of the classifier; made from the label."),
    out: Path | None = typer.Option(
        None, metavar="DIR", help="Instead of `prefilter.directory`; a folder is made in it."
    ),
    confidence: float = typer.Option(0.95, min=0.5, max=0.9999, help="Of every bound."),
    replace: bool = typer.Option(False, "--replace", help="Even if there is one of this name."),
    config: Path | None = CONFIG,
    bootstrap: str | None = BOOTSTRAP,
    as_json: bool = typer.Option(False, "--json", help="Print the card as one JSON object."),
) -> None:
    """Fit a classifier, and tell what it can promise on rows that it has not seen.

    It is written in any case. Exits 1 when a target is not borne out: a worker whose policy asks
    for as much will not start with it.

    Example:  afterguard prefilter fit --data labelled.jsonl --policy spam --target-recall 0.99
    """
    targets = tuple(sorted(set(target_recall or _TARGETS)))
    with told_plainly():
        if not all(0 < it < 1 for it in targets):
            raise SettingsError(["--target-recall: must be above 0 and below 1"])
        if bool(data) is from_audit:
            raise SettingsError(["say what to learn from: --data FILE, or --from-audit"])
        if sum((bool(label), policy is not None, any_label)) > 1:
            raise SettingsError(["--label, --policy and --any: give one of the three"])
        require_extra(to_fit=True)
        settings = settings_of(config, bootstrap)
        called = _name(name, policy, label)
        directory = out or settings.prefilter.directory
        from afterguard.cli.prefilter_told import shortfall, tell  # noqa: PLC0415 (an extra)
        from afterguard.prefilter.artefact import exists  # noqa: PLC0415 (an extra)
        from afterguard.prefilter.fit import Labelled, fit  # noqa: PLC0415 (an extra)

        if exists(called, directory) and not replace:
            raise SettingsError([f"{directory / called} is there already; --replace, or --name"])

        def labelled(show: Show) -> Labelled:
            if from_audit:
                return _audited(settings, policy, version, show)
            return _filed(settings, data or [], policy, label or [], only_known, any_label)

        with _progress() as show:
            made = fit(
                labelled(show),
                called,
                directory,
                targets=targets,
                confidence=confidence,
                progress=show,
            )
    card = made.card
    if as_json:
        typer.echo(card.model_dump_json())
    else:
        tell(card)
        typer.echo(f"written to {made.folder}")
    missed = [it for it in card.thresholds if not it.met]
    for it in missed:
        typer.secho(shortfall(it, confidence), err=True, fg=typer.colors.YELLOW)
    if missed:
        raise typer.Exit(_NOT_BORNE_OUT)


def _name(name: str | None, policy: str | None, labels: Sequence[str] | None) -> str:
    found = name or (Path(policy).stem if policy else "-".join(labels or ["any"])).lower()
    try:
        return _NAMES.validate_python(found)
    except ValidationError:
        raise SettingsError(
            [f"--name {found}: must be small letters, digits and `-`, 64 at most"]
        ) from None


def _filed(
    settings: Settings,
    files: list[Path],
    policy: str | None,
    labels: list[str],
    only_known: bool,
    any_label: bool,
) -> "Labelled":
    from afterguard.cli.prefilter_data import (  # noqa: PLC0415 (evaluation is heavy)
        of_any,
        of_labels,
        of_policy,
    )

    if policy is not None:
        return of_policy(files, chosen_policy(policy, settings.policies))
    if any_label:
        return of_any(files, only_known=only_known)
    return of_labels(files, labels)


def _audited(settings: Settings, policy: str | None, version: str | None, show: Show) -> "Labelled":
    from afterguard.cli.prefilter_audit import Verdicts, from_audit  # noqa: PLC0415 (heavy)

    return asyncio.run(from_audit(settings, Verdicts(policy, version), show))


@contextmanager
def _progress() -> Iterator[Show]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _stage, _done, _of: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, of: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=of)
            progress.update(tasks[stage], completed=done, total=of)

        yield show
