"""What `afterguard eval` tells: the data it read, and how far it is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from afterguard.evaluation.datasets import DataSet
from afterguard.evaluation.run import Sitting

_TOLD_ROWS: Final = 20
_LINE_EVERY_S: Final = 15.0


def tell_data(read: Sequence[DataSet]) -> None:
    """Say how each file was understood, and which rows cannot be used."""
    for data in read:
        parts = [f"{len(data.rows)} rows"]
        if data.unlabelled:
            parts.append(f"{data.unlabelled} without a label for these policies")
        if data.bad:
            parts.append(f"{len(data.bad)} bad")
        typer.echo(f"{data.path}: form {data.form.value}, {', '.join(parts)}", err=True)
        for label, policy in sorted(data.labels.items()):
            if label != policy:
                typer.echo(f"  label {label} speaks of {policy}", err=True)
        if data.ignored:
            typer.echo(f"  labels of no chosen policy: {', '.join(data.ignored[:10])}", err=True)
        for bad in data.bad[:_TOLD_ROWS]:
            typer.secho(f"  {bad.file}:{bad.line}: {bad.reason}", err=True, fg=typer.colors.YELLOW)
        if len(data.bad) > _TOLD_ROWS:
            typer.echo(
                f"  and {len(data.bad) - _TOLD_ROWS} more bad rows; run.json has all", err=True
            )


@contextmanager
def progress_of(rows: int) -> Iterator[Callable[[Sitting], None]]:
    """Shows how far a sitting is: a bar at a terminal, else a line now and then."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    with Progress(
        TextColumn("judging"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} rows"),
        TextColumn("{task.fields[rate]:.1f}/s"),
        TextColumn("{task.fields[tokens]}"),
        TimeRemainingColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("", total=rows, rate=0.0, tokens="")

        def show(sitting: Sitting) -> None:
            progress.update(
                task, completed=sitting.done, rate=sitting.rate, tokens=_tokens(sitting)
            )

        yield show


def _lines() -> Callable[[Sitting], None]:
    last = monotonic()

    def show(sitting: Sitting) -> None:
        nonlocal last
        now = monotonic()
        if now - last < _LINE_EVERY_S and sitting.done < sitting.tasks:
            return
        last = now
        left = "" if sitting.left_s is None else f", {sitting.left_s:.0f} s left"
        typer.echo(
            f"{sitting.done}/{sitting.tasks} rows, {sitting.rate:.2f}/s{left}, {_tokens(sitting)}",
            err=True,
        )

    return show


def _tokens(sitting: Sitting) -> str:
    failed = f", {sitting.failed} failed" if sitting.failed else ""
    return (
        f"{sitting.prompt_tokens:,} tokens read ({sitting.cached_prompt_tokens:,} cached), "
        f"{sitting.output_tokens:,} written{failed}"
    )
