"""`afterguard demo`: the whole system on this machine, with nothing to set up."""

import asyncio
import signal

import orjson
import typer
from rich.console import Console

from afterguard.cli import demo_report
from afterguard.cli.demo_run import Interrupted, run_demo
from afterguard.cli.demo_traffic import DemoPlan
from afterguard.cli.failing import told_plainly
from afterguard.contracts.errors import SettingsError
from afterguard.embedded.tally import Tally
from afterguard.row_files import STDIN

_INCOMPLETE = 1
_INTERRUPTED = 130


def demo_command(
    events: int | None = typer.Option(
        None,
        min=1,
        max=100_000,
        help="How many chat events to replay, all at once; of a file: at most. Without it 240, or "
        "as many as this machine judges in time to be done within three minutes.",
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object last."),
    rate: float = typer.Option(0, min=0, help="Events per second; 0 for no limit."),
    file: str | None = typer.Option(
        None, "--file", "-f", help="Messages of yours instead of ours: JSONL, CSV, ..., .gz too."
    ),
    text: str | None = typer.Option(
        None, "--text", help="With --file: JMESPath of the text in a row, such as `body`."
    ),
    policies: list[str] = typer.Option(
        [], "--policy", "-p", help="Judge under this policy only; may be repeated."
    ),
    null_engine: bool = typer.Option(
        False, "--null-engine", help="No model at all: shows the flow in seconds."
    ),
) -> None:
    """Run everything here: broker, Valkey, a small model in vLLM on the CPU, and the worker.

    The embedded model shows the machinery; it is no judge. Ctrl-C drains and counts what is there.

    Example:  afterguard demo --events 200 --json
    """
    console = Console(stderr=as_json)
    plan = DemoPlan(events, rate, file, text, tuple(policies), null_engine)
    with told_plainly():
        if file == STDIN:
            raise SettingsError(["--file: the demo reads a file, not standard input"])
        if text is not None and file is None:
            raise SettingsError(["--text: has no meaning without --file"])
        try:
            result, code = asyncio.run(_with_interrupt(plan, console))
        except Interrupted:
            console.print("interrupted before anything was sent")
            raise typer.Exit(_INTERRUPTED) from None
    demo_report.show(result, console)
    if as_json:
        typer.echo(orjson.dumps(result.as_json()).decode())
    raise typer.Exit(code or (_INCOMPLETE if _is_wrong(result) else 0))


async def _with_interrupt(plan: DemoPlan, console: Console) -> tuple[Tally, int]:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        # The second Ctrl-C ends the process as ever; the services die with it.
        loop.remove_signal_handler(signal.SIGINT)
        interrupted.set()

    loop.add_signal_handler(signal.SIGINT, ask)
    return await run_demo(plan, interrupted, console)


def _is_wrong(result: Tally) -> bool:
    # What Ctrl-C left over is not wrong: the group has not passed it by.
    return bool(result.lost or result.duplicates or result.unreadable)
