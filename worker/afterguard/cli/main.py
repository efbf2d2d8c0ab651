"""The `afterguard` command."""

import typer

from afterguard import __version__
from afterguard.cli.on_demand import MARKUP, OnDemand

app = typer.Typer(
    name="afterguard",
    cls=OnDemand,
    no_args_is_help=True,
    rich_markup_mode=MARKUP,
    pretty_exceptions_show_locals=False,
    help="Moderation that never holds a message up: chat events in from Kafka, judged by a "
    "reasoning model under your own written policies, interventions out.",
    epilog="Start with `afterguard demo`, then `afterguard doctor` against your own broker. Every "
    "setting can be set in a YAML file (`--config`) or as `AFTERGUARD_<SECTION>__<FIELD>`.",
)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"afterguard {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and end."
    ),
) -> None:
    del version
