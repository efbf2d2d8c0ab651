"""The `afterguard` command."""

import typer

from afterguard import __version__
from afterguard.cli.check import check_command
from afterguard.cli.demo import demo_command
from afterguard.cli.doctor import doctor_command
from afterguard.cli.map_command import map_command
from afterguard.cli.policies import policies_app
from afterguard.cli.replay import replay_command
from afterguard.cli.run import run_command
from afterguard.cli.schema import schema_command
from afterguard.cli.topics import topics_app

app = typer.Typer(
    name="afterguard",
    no_args_is_help=True,
    rich_markup_mode="markdown",
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


app.command("run")(run_command)
app.command("demo")(demo_command)
app.command("replay")(replay_command)
app.command("check")(check_command)
app.command("map")(map_command)
app.command("schema")(schema_command)
app.command("doctor")(doctor_command)
app.add_typer(policies_app, name="policies")
app.add_typer(topics_app, name="topics")
