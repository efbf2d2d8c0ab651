"""`afterguard resume`: let a running worker go on in spite of a flood of dead letters."""

from pathlib import Path

import typer

from afterguard.cli.failing import told_plainly
from afterguard.cli.options import CONFIG, settings_of
from afterguard.cli.running_worker import URL, ask_worker


def resume_command(
    accept: list[str] = typer.Option(
        [],
        "--accept",
        metavar="CAUSE",
        help="A reason of dead letters, such as not_json; may be given again.",
    ),
    lasts: str | None = typer.Option(
        None,
        "--for",
        metavar="TIME",
        help="Such as 10m or 2h; until the worker ends when absent. Then it is counted anew.",
    ),
    url: str | None = URL,
    config: Path | None = CONFIG,
) -> None:
    """Let the worker on this machine go on although dead letters of a cause come in a flood.

    A flood holds intake: nothing is lost, nothing more is judged, and /readyz names the cause.
    Mend the cause first if you can. What is accepted goes on to the dead letters and is no longer
    counted. Each worker must be told; one that is started again counts anew, unless
    `dead_letters.flood_accept` names the cause.

    Without --accept it says what holds the worker, and exits 1.

    Example:  afterguard resume --accept not_json --for 30m
    """
    with told_plainly():
        settings = settings_of(config)
        wish = {"accept": ",".join(accept)} | ({"for": lasts} if lasts else {})
        answer = ask_worker("POST", "/resume", wish, http=settings.http, url=url)
    until = f"for {lasts}" if lasts else "until the worker ends"
    typer.echo(f"accepted {until}: {', '.join(answer['accepted'])}")
    if answer["held_by"]:
        causes = ", ".join(answer["held_by"])
        typer.echo(f"intake is still held by: {causes}")
        raise typer.Exit(1)
    typer.echo("intake goes on" if answer["resumed"] else "none of these held intake")
