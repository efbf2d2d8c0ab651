"""`afterguard traffic`: invented chat events at a steady rate, to see a worker at work."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final

import orjson
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from afterguard.cli.acknowledged import AcknowledgedSends
from afterguard.cli.failing import told_plainly
from afterguard.cli.options import BOOTSTRAP, CONFIG, settings_of
from afterguard.cli.traffic_run import Sent, Spacing, TrafficPlan, send_traffic
from afterguard.contracts.errors import SettingsError, TopicMissing
from afterguard.contracts.words import Lane
from afterguard.settings import Settings
from afterguard.stream.kafka.admin import missing_topics
from afterguard.stream.kafka.producer import KafkaProducer

_INTERRUPTED: Final = 130
_MINUTE_S: Final = 60.0
# Without a terminal, such as in a container's log.
_LINE_EACH_S: Final = 30.0


def traffic_command(
    rate: float = typer.Option(10.0, min=0.001, max=100_000, help="Events per second, on average."),
    count: int | None = typer.Option(None, min=1, help="Events at most."),
    minutes: float | None = typer.Option(None, min=0.001, help="For so long at most."),
    conversations: int = typer.Option(
        50,
        min=1,
        max=100_000,
        help="How many go on at the same time; events of one keep their order.",
    ),
    spacing: Spacing = typer.Option(
        Spacing.POISSON, help="poisson: at random, in bursts, as people write; steady: evenly."
    ),
    lanes: str | None = typer.Option(
        None,
        metavar="LANE=WEIGHT,...",
        help="How urgent they are, such as live=1,standard=8,backfill=1; as written when absent.",
    ),
    fresh: bool = typer.Option(
        False, "--fresh", help="Make each text a new one, so that no verdict comes from the cache."
    ),
    topic: str | None = typer.Option(None, metavar="NAME", help="Instead of `topics.events`."),
    bootstrap: str | None = BOOTSTRAP,
    config: Path | None = CONFIG,
    as_json: bool = typer.Option(False, "--json", help="Print one JSON object last."),
) -> None:
    """Send invented chat events, until --count, --minutes or Ctrl-C.

    The events are those of the demo, round after round, under new ids. They are for load,
    dashboards and alerts. **They are judged and acted upon like any other**: send them where
    interventions reach nobody.

    Events are sent at their time, whether or not the worker keeps up. Ctrl-C waits for what was
    sent; it ends with 0 when there was no bound, else with 130.

    Example:  afterguard traffic --bootstrap broker:9092 --rate 50 --minutes 10
    """
    with told_plainly():
        plan = TrafficPlan(
            rate=rate,
            count=count,
            seconds=minutes * _MINUTE_S if minutes is not None else None,
            conversations=conversations,
            spacing=spacing,
            lanes=_lanes_of(lanes) if lanes is not None else {},
            fresh=fresh,
        )
        told = asyncio.run(_run(plan, settings_of(config, bootstrap), topic))
        _report(told)
        if as_json:
            typer.echo(orjson.dumps(_as_dict(told)).decode())
        if told.fault is not None:
            raise told.fault
    if told.stopped and not plan.endless:
        raise typer.Exit(_INTERRUPTED)


async def _run(plan: TrafficPlan, settings: Settings, topic: str | None) -> Sent:
    into = topic or settings.topics.events
    if await missing_topics(settings.kafka, [into]):
        raise TopicMissing(f"topic missing: {into}; `afterguard topics create` makes it")
    producer = KafkaProducer(settings.kafka)
    try:
        await producer.start()
        sends = AcknowledgedSends(producer, patience_s=settings.kafka.request_timeout_ms / 1_000)
        with _progress(plan) as show:
            return await send_traffic(plan, sends, into, show=show)
    finally:
        await producer.stop()


def _lanes_of(text: str) -> dict[Lane, float]:
    """The weights of `live=1,standard=8`.

    Raises:
        SettingsError: It is not of that form.
    """
    weights: dict[Lane, float] = {}
    for part in text.split(","):
        name, _, weight = part.partition("=")
        try:
            weights[Lane(name.strip())] = float(weight)
        except ValueError:
            known = ", ".join(Lane)
            raise SettingsError(
                [f"--lanes {part}: must be LANE=WEIGHT, with one of {known}, such as live=1"]
            ) from None
    if min(weights.values()) < 0 or not 0 < sum(weights.values()) < float("inf"):
        raise SettingsError([f"--lanes {text}: weights are not negative, and one is above zero"])
    return weights


@contextmanager
def _progress(plan: TrafficPlan) -> Iterator[Callable[[Sent], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[sent]:,} sent, {task.fields[acknowledged]:,} acknowledged"),
        TextColumn("{task.fields[rate]:,.1f} of " + f"{plan.rate:g}/s"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        task = progress.add_task("traffic", total=plan.count, sent=0, acknowledged=0, rate=0.0)

        def show(told: Sent) -> None:
            progress.update(
                task,
                completed=told.sent,
                sent=told.sent,
                acknowledged=told.acknowledged,
                rate=told.sent / told.seconds if told.seconds else 0.0,
            )

        yield show


def _lines() -> Callable[[Sent], None]:
    told_at = monotonic()

    def show(told: Sent) -> None:
        nonlocal told_at
        if monotonic() - told_at >= _LINE_EACH_S:
            told_at = monotonic()
            typer.echo(f"{told.sent:,} sent, {told.acknowledged:,} acknowledged", err=True)

    return show


def _report(told: Sent) -> None:
    rate = told.sent / told.seconds if told.seconds else 0.0
    typer.echo(
        f"{told.acknowledged:,} events sent and acknowledged in {told.seconds:.1f} s "
        f"({rate:,.1f} a second)" + ("; stopped by a signal" if told.stopped else "")
    )
    if told.acknowledged < told.sent:
        typer.echo(f"{told.sent - told.acknowledged:,} events sent but not acknowledged")


def _as_dict(told: Sent) -> dict[str, object]:
    return {
        "sent": told.sent,
        "acknowledged": told.acknowledged,
        "seconds": round(told.seconds, 3),
        "stopped": told.stopped,
        "fault": None if told.fault is None else type(told.fault).__name__,
    }
